"""The student against its teacher, recomputed from the rows."""

from __future__ import annotations

import math
from collections import Counter
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from comd_platform.evaluation.statistics import wilson
from comd_platform.reports.against_teacher import (
    by_task_type,
    held_out_against_teacher,
    outcomes,
)
from comd_platform.reports.cells import score_cells
from comd_platform.reports.evaluations import item_scores
from comd_platform.reports.summary import run_summary


def test_outcomes_are_those_of_the_summary(session: Session) -> None:
    told = {(row.iteration, row.outcome): row for row in outcomes(score_cells(session, 1))}
    for row in run_summary(session, 1):
        counts = {"win": row.wins, "tie": row.ties, "loss": row.losses}
        for outcome, number in counts.items():
            found = told[row.iteration, outcome]
            assert found.instructions == number
            assert found.interval.low <= found.interval.score <= found.interval.high
            assert found.interval.score == pytest.approx(number / sum(counts.values()))


def test_task_types_add_up(session: Session) -> None:
    cells = score_cells(session, 1)
    told = by_task_type(cells)
    assert {row.task_type for row in told} == {"knowledge", "look"}
    for iteration in (1, 2, 3):
        of_it = [row for row in told if row.iteration == iteration]
        rows = {row.outcome: row for row in outcomes(cells) if row.iteration == iteration}
        held = sum((row.not_lost or 0) * row.scored for row in of_it)
        assert held == pytest.approx(rows["win"].instructions + rows["tie"].instructions)


def test_held_out_pairs_are_compared_item_by_item(session: Session) -> None:
    told = held_out_against_teacher(session, 1)
    assert {(row.benchmark, row.iteration) for row in told} == {
        (name, number) for name in ("heldout", "heldout-choice") for number in (1, 2, 3)
    }
    items = item_scores(session, 1, "heldout")
    teacher = {row.key: row.score for row in items if row.who == "teacher"}
    for row in told:
        if row.benchmark != "heldout":
            continue
        leads = [
            item.score - teacher[item.key]
            for item in items
            if item.who == "student" and item.iteration == row.iteration
        ]
        assert row.items == len(leads) == 60
        assert Counter(lead > 0 for lead in leads)[True] == row.wins
        assert sum(lead < 0 for lead in leads) == row.losses
        assert row.difference == pytest.approx(mean(leads))
        assert row.standard_error == pytest.approx(stdev(leads) / math.sqrt(len(leads)))
    assert held_out_against_teacher(session, 99) == []


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_within_what_a_share_can_be(pair: tuple[int, int]) -> None:
    count, total = pair
    interval = wilson(count, total)
    assert 0 <= interval.low <= count / total + 1e-12
    assert count / total - 1e-12 <= interval.high <= 1
    # The defining property: at each end within (0, 1) the share is 1.96 standard errors away.
    for end in (interval.low, interval.high):
        if 0 < end < 1:
            error = math.sqrt(end * (1 - end) / total)
            assert abs(count / total - end) == pytest.approx(1.959964 * error, rel=1e-4)


def test_wilson_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        wilson(0, 0)
