"""What is told of the assessor, from counts of its replies in both orders."""

from __future__ import annotations

import math
from collections import Counter
from statistics import correlation, mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.method.judging.agreement import weighted_kappa
from comd_platform.reports import judge
from comd_platform.reports.orders import OrderCell, order_cells

scores = st.integers(1, 10).map(float)
order = st.one_of(st.none(), st.tuples(scores, scores))
Pair = tuple[tuple[float, float] | None, tuple[float, float] | None]


def _cells(pairs: list[Pair]) -> list[OrderCell]:
    return [
        OrderCell(1, 1, False, *(a or (None, None)), *(b or (None, None)), False, n, 2 * n, 0)
        for (a, b), n in Counter(pairs).items()
    ]


def _both(pairs: list[Pair]) -> list[tuple[float, float]]:
    """The student's lead in each order."""
    return [(a[1] - a[0], b[1] - b[0]) for a, b in pairs if a is not None and b is not None]


@given(st.lists(st.tuples(order, order), min_size=1))
def test_the_row_says_what_the_pairs_say(pairs: list[Pair]) -> None:
    (row,) = judge.judge_rows(_cells(pairs))
    leads = _both(pairs)
    assert row.pairs == len(pairs) == row.both_orders + row.one_order + row.unscored
    assert row.both_orders == len(leads)
    assert row.unscored == sum(a is None and b is None for a, b in pairs)
    assert row.flips == sum(one * two < 0 for one, two in leads)
    assert row.first_preferred == sum(one < 0 < two for one, two in leads)
    if leads:
        assert row.first_bonus == pytest.approx(mean((two - one) / 2 for one, two in leads))
        assert row.flip_share == row.flips / len(leads)
    else:
        assert row.first_bonus is row.flip_share is row.kappa is row.correlation is None
    known = [score for pair in pairs for each in pair if each is not None for score in each]
    if known:
        high = sum(score >= judge.CEILING for score in known)
        assert row.at_ceiling == pytest.approx(high / len(known))
    if len({one for one, _ in leads}) > 1 and len({two for _, two in leads}) > 1:
        expected = correlation([one for one, _ in leads], [two for _, two in leads])
        assert row.correlation == pytest.approx(expected, abs=1e-9)
    else:
        assert row.correlation is None


@given(st.lists(st.tuples(order, order), min_size=1))
def test_scores_and_leads_are_all_counted(pairs: list[Pair]) -> None:
    cells = _cells(pairs)
    counts = judge.score_counts(cells)
    assert len(counts) == 20
    known = [each for pair in pairs for each in pair if each is not None]
    assert sum(row.scores for row in counts) == 2 * len(known)
    teacher = Counter(each[0] for each in known)
    assert {row.score: row.scores for row in counts if row.who == "teacher" and row.scores} == (
        teacher
    )
    leads = Counter(_both(pairs))
    assert {(r.teacher_first, r.student_first): r.pairs for r in judge.lead_counts(cells)} == leads


def test_a_judge_that_gives_two_points_for_standing_first() -> None:
    cells = _cells([((8.0, 6.0), (6.0, 8.0))])
    (row,) = judge.judge_rows(cells)
    assert row.first_bonus == 2.0
    assert row.flips == row.first_preferred == 1
    slots = {(s.who, s.slot): s.score for s in judge.slot_scores(cells)}
    assert slots == {
        ("teacher", "first"): 8.0,
        ("teacher", "second"): 6.0,
        ("student", "first"): 8.0,
        ("student", "second"): 6.0,
    }
    assert judge.slot_scores(_cells([(None, (6.0, 8.0))])) == []


def test_kappa_is_that_of_a_textbook() -> None:
    # Two raters on a scale of three; quadratic weights, worked out by hand:
    # observed 6 (4 disagree by 1, and 2 do so again), expected 2 * (by chance) / n.
    counts = {(0, 0): 20, (0, 1): 4, (1, 1): 16, (1, 2): 2, (2, 2): 8}
    total = 50
    first = {0: 24, 1: 18, 2: 8}
    second = {0: 20, 1: 20, 2: 10}
    expected = sum((a - b) ** 2 * first[a] * second[b] / total for a in first for b in second)
    assert weighted_kappa(counts) == pytest.approx(1 - 6 / expected)


@given(st.dictionaries(st.tuples(st.integers(-1, 1), st.integers(-1, 1)), st.integers(0, 50)))
def test_kappa_is_at_most_one_and_one_only_where_all_agree(
    counts: dict[tuple[int, int], int],
) -> None:
    kappa = weighted_kappa(counts)
    if kappa is None:
        said = {a for (a, _), n in counts.items() if n} | {b for (_, b), n in counts.items() if n}
        assert len(said) <= 1
    else:
        disagree = sum(n for (a, b), n in counts.items() if a != b)
        assert kappa <= 1
        assert math.isclose(kappa, 1) == (disagree == 0)


def test_the_report_agrees_with_the_view_that_a_user_reads(session: Session) -> None:
    told = judge.judge_rows(order_cells(session, 1))
    view = session.execute(
        text("SELECT * FROM judge_health WHERE run_id = 1 ORDER BY iteration")
    ).mappings()
    for row, seen in zip(told, view, strict=True):
        for name, value in seen.items():
            if name not in ("run", "run_id"):
                assert getattr(row, name) == value, name
        assert row.kappa is not None
        assert 0 < row.kappa < 1
