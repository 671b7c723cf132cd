"""Score cells hold every assessment once, and what is summed over them is what the rows say."""

from __future__ import annotations

import math
from collections import Counter
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from comd_platform.config.run import MethodConfig
from comd_platform.method.difficulty import difficulty
from comd_platform.method.seeds import content_seed
from comd_platform.method.selection import Assessed, Rule
from comd_platform.reports import difficulty as sums
from comd_platform.reports.cells import ScoreCell, score_cells
from comd_platform.reports.planning import method_config, next_pool
from comd_platform.reports.summary import run_summary
from comd_platform.tables import Assessment, Instruction, Selection

TAU = 0.33

halves = st.integers(2, 20).map(lambda half: half / 2)
scores = st.one_of(st.none(), st.tuples(halves, halves))
thresholds = st.one_of(
    st.sampled_from([0.0, 0.33, 1.0]), st.integers(0, 100).map(lambda n: n / 100)
)


def _cells(rows: list[tuple[float, float] | None]) -> list[ScoreCell]:
    """As the query would count them."""
    return [
        ScoreCell(1, 1, False, "look", pair and pair[0], pair and pair[1], (), number)
        for pair, number in Counter(rows).items()
    ]


def _assessments(session: Session, iteration_id: int) -> list[tuple[Assessment, str]]:
    rows = session.execute(
        select(Assessment, Instruction.task_type)
        .join(Instruction, Instruction.id == Assessment.instruction_id)
        .where(Assessment.iteration_id == iteration_id)
    )
    return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize(("run_id", "iteration", "iteration_id"), [(1, 1, 1), (1, 3, 3), (2, 2, 4)])
def test_the_cells_count_every_assessment_once(
    session: Session, run_id: int, iteration: int, iteration_id: int
) -> None:
    told = score_cells(session, run_id, iteration)
    expected = Counter(
        (kind, row.teacher_score, row.student_score, tuple(row.flags), row.difficulty)
        for row, kind in _assessments(session, iteration_id)
    )
    assert {
        (c.task_type, c.teacher_score, c.student_score, c.flags, c.difficulty): c.instructions
        for c in told
    } == expected
    assert {cell.iteration_id for cell in told} == {iteration_id}
    assert told == [c for c in score_cells(session, run_id) if c.iteration == iteration]
    assert any(cell.teacher_score is None for cell in told)


def test_a_branch_has_the_cells_of_what_it_shares(session: Session) -> None:
    told = score_cells(session, 2)
    assert {(cell.iteration, cell.iteration_id, cell.shared) for cell in told} == {
        (1, 1, True),
        (2, 4, False),
    }


@pytest.mark.parametrize("iteration", [1, 2, 3])
def test_what_is_summed_over_cells_is_what_the_summary_says(
    session: Session, iteration: int
) -> None:
    cells = score_cells(session, 1, iteration)
    row = run_summary(session, 1)[iteration - 1]
    found = sums.bands(cells, TAU)
    assert (found.difficult, found.easy, found.unscored) == (row.difficult, row.easy, row.unscored)
    assert found.difficult_share == pytest.approx(row.difficult_share)
    assert sums.mean_score(cells, "teacher") == pytest.approx(row.teacher_score)
    assert sums.mean_score(cells, "student") == pytest.approx(row.student_score)
    types = sums.bands_by_task_type(cells, TAU)
    assert {line.task_type for line in types} == {"knowledge", "look"}
    assert sum(line.difficult for line in types) == row.difficult
    assert sum(line.unscored for line in types) == row.unscored > 0


@given(st.lists(scores), thresholds, st.sampled_from([4, 10, 20, 33]))
def test_the_histogram_holds_every_scored_instruction_once(
    rows: list[tuple[float, float] | None], threshold: float, bins: int
) -> None:
    told = sums.histogram(_cells(rows), threshold, bins=bins)
    expected: Counter[tuple[int, str]] = Counter()
    for pair in rows:
        if pair is not None:
            s = difficulty(*pair)
            hard = s >= threshold and threshold < 1
            expected[min(math.floor(s * bins), bins - 1), "difficult" if hard else "easy"] += 1
    assert {(round(row.low * bins), row.band): row.instructions for row in told} == expected
    assert all(row.high - row.low == pytest.approx(1 / bins) for row in told)


@given(st.lists(scores), thresholds)
def test_standings_split_the_difficult_and_leave_the_easy(
    rows: list[tuple[float, float] | None], threshold: float
) -> None:
    cells = _cells(rows)
    told = {row.standing: row for row in sums.standings(cells, threshold)}
    found = sums.bands(cells, threshold)
    assert told["easy"].instructions == found.easy
    assert sum(row.instructions for row in told.values()) == found.scored
    if found.scored:
        assert sum(row.share for row in told.values()) == pytest.approx(1)
    if threshold < 1:
        weak = [p for p in rows if p is not None and difficulty(max(p), max(p)) >= threshold]
        assert told["both weak"].instructions == len(weak)


@pytest.mark.parametrize(
    ("teacher", "student", "standing"),
    [
        (9, 9, "easy"),
        (9, 7, "student behind"),
        (7, 9, "student ahead"),
        (3, 3, "both weak"),
        (1, 2, "both weak"),
        (8, 7, "easy"),
    ],
)
def test_the_papers_pairs_stand_as_it_says(teacher: float, student: float, standing: str) -> None:
    cell = ScoreCell(1, 1, False, "look", teacher, student, (), 1)
    assert sums.standing_of(cell, TAU) == standing


@given(st.lists(st.tuples(st.floats(1, 10), st.floats(1, 10)), min_size=1))
def test_the_map_holds_every_instruction_within_the_range_it_tells(
    rows: list[tuple[float, float]],
) -> None:
    told = sums.score_map(_cells(list(rows)), TAU)
    assert sum(cell.instructions for cell in told) == len(rows)
    for cell in told:
        inside = [
            pair
            for pair in rows
            if cell.teacher_range[0] <= pair[0] <= cell.teacher_range[1]
            and cell.student_range[0] <= pair[1] <= cell.student_range[1]
        ]
        assert len(inside) == cell.instructions
        assert all(abs(pair[0] - cell.teacher) <= sums.MAP_STEP / 2 for pair in inside)
        assert all(abs(pair[1] - cell.student) <= sums.MAP_STEP / 2 for pair in inside)
        assert cell.difficulty == pytest.approx(mean(difficulty(*pair) for pair in inside))


@given(
    st.lists(scores),
    thresholds,
    st.sampled_from(["competitive", "regret", "random", "all"]),
    st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    st.one_of(st.none(), st.integers(1, 30)),
)
def test_the_next_pool_is_as_big_as_what_the_method_chooses(
    rows: list[tuple[float, float] | None],
    threshold: float,
    selection: str,
    easy_share: float,
    max_new: int | None,
) -> None:
    method = MethodConfig(
        selection=selection,
        difficulty_threshold=threshold,
        easy_share=easy_share,
        max_new=max_new,
        minimum_pool=5,
    )
    told = next_pool(_cells(rows), method, threshold, accepted_share=0.5)
    known = [
        Assessed(str(n), *(pair if pair is not None else (None, None)))
        for n, pair in enumerate(rows)
    ]
    assert told is not None
    assert method.measure.select is not None
    rule = Rule(threshold, easy_share, told.cap, content_seed(1))
    chosen = Counter(source.band for source in method.measure.select(known, rule))
    assert told.quota.sources == chosen.total()
    if selection in ("competitive", "regret"):
        assert told.quota.difficult == chosen["difficult"]
    assert told.enough == (chosen.total() >= 5)
    assert told.expected == min(round(chosen.total() / 2), max_new or len(rows))


@pytest.mark.parametrize("selection", ["none", "uncertainty"])
def test_a_measure_that_does_not_go_by_scores_has_no_next_pool_to_tell(selection: str) -> None:
    assert next_pool(_cells([(9, 2)]), MethodConfig(selection=selection), TAU) is None


def test_what_was_chosen_is_what_would_have_been_told(session: Session) -> None:
    method = method_config(session, 1)
    assert method is not None
    told = next_pool(score_cells(session, 1, 1), method, method.difficulty_threshold)
    chosen = Counter(session.scalars(select(Selection.band).where(Selection.pool_id == 2)))
    assert told is not None
    assert (told.quota.difficult, told.quota.easy) == (chosen["difficult"], chosen["easy"])


def test_a_run_that_is_not_there_has_no_method(session: Session) -> None:
    assert method_config(session, 99) is None


def test_every_instruction_is_unscored_where_no_reply_could_be_read(session: Session) -> None:
    session.execute(
        text("UPDATE assessment SET teacher_score = NULL, student_score = NULL, flags = '{}'")
    )
    cells = score_cells(session, 1, 1)
    assert sums.bands(cells, TAU).scored == 0
    assert sums.bands(cells, TAU).difficult_share is None
    assert sums.histogram(cells, TAU) == sums.score_map(cells, TAU) == []
    assert sums.mean_score(cells, "student") is None
    assert all(row.share == 0 for row in sums.standings(cells, TAU))
