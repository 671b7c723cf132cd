"""What the assess phase counts for the reports is what its rows say, whatever they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judged import iteration_with_judgements
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from comd_platform.db.engine import transaction
from comd_platform.loop.context import Context
from comd_platform.loop.phases import assess
from comd_platform.reports.cells import score_cells
from comd_platform.reports.orders import order_cells
from comd_platform.reports.summary import run_summary

scores = st.tuples(st.integers(1, 10).map(float), st.sampled_from([1.0, 4.0, 7.5, 10.0]))
judged = st.fixed_dictionaries({}, optional={"teacher_first": scores, "student_first": scores})


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with transaction(engine) as session:
        yield session


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(replies=st.lists(judged, min_size=1, max_size=12))
def test_counted_cells_are_the_ones_that_the_rows_give(
    session: Session, replies: list[dict[str, tuple[float, float]]]
) -> None:
    with session.begin_nested() as undone:
        iteration, _ = iteration_with_judgements(session, *replies)
        assess.settle(session, Context.load(session, iteration.id))
        counted = score_cells(session, iteration.run_id), order_cells(session, iteration.run_id)
        summary = run_summary(session, iteration.run_id)
        assert _standing(session) == (len(counted[0]), len(counted[1]))
        assert sum(cell.instructions for cell in counted[0]) == len(replies)
        assert Counter(
            {
                (cell.teacher_1, cell.student_1, cell.teacher_2, cell.student_2): cell.pairs
                for cell in counted[1]
            }
        ) == Counter(
            (*reply.get("teacher_first", (None, None)), *reply.get("student_first", (None, None)))
            for reply in replies
            if reply
        )
        session.execute(text("DELETE FROM assessment_cell"))
        session.execute(text("DELETE FROM judgement_cell"))
        session.execute(text("DELETE FROM iteration_count"))
        assert (
            score_cells(session, iteration.run_id),
            order_cells(session, iteration.run_id),
        ) == counted
        assert run_summary(session, iteration.run_id) == summary
        undone.rollback()


def test_counting_again_changes_nothing_and_a_killed_phase_leaves_nothing(engine: Engine) -> None:
    with transaction(engine) as session:
        iteration, _ = iteration_with_judgements(
            session, {"teacher_first": (9, 3), "student_first": (8, 3)}, {"teacher_first": (5, 5)}
        )
        context = Context.load(session, iteration.id)
    with Session(engine) as killed:
        assess.settle(killed, context)
        assert _standing(killed) == (2, 2)
        killed.rollback()
    with transaction(engine) as session:
        assert _standing(session) == (0, 0)
        assess.settle(session, context)
        first = score_cells(session, iteration.run_id), order_cells(session, iteration.run_id)
        assess.settle(session, context)
        assert _standing(session) == (2, 2)
        assert first == (
            score_cells(session, iteration.run_id),
            order_cells(session, iteration.run_id),
        )


def _standing(session: Session) -> tuple[int, int]:
    """Cells that stand in the tables."""
    counted = text(
        "SELECT (SELECT count(*) FROM assessment_cell), (SELECT count(*) FROM judgement_cell)"
    )
    row = session.execute(counted).one()
    return row[0], row[1]
