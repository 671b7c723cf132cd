"""A two-instruction iteration, calculated by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from judged import CONFIG, iteration_with_judgements
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from comd_platform.config.load import parse_config
from comd_platform.db.engine import transaction
from comd_platform.loop.context import Context
from comd_platform.loop.iterations import next_iteration
from comd_platform.loop.phases import assess
from comd_platform.runs import create_run
from comd_platform.tables import (
    Assessment,
    Pool,
    Selection,
)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with transaction(engine) as session:
        yield session


def test_two_instructions_from_judgements_to_the_next_selection(session: Session) -> None:
    iteration, (olaf, night) = iteration_with_judgements(
        session,
        # teacher (9 + 8) / 2 = 8.5, student (2 + 3) / 2 = 2.5: S = (6 + 1) / 8.5 = 0.8235
        {"teacher_first": (9, 2), "student_first": (8, 3)},
        # teacher (9 + 8) / 2 = 8.5, student (9 + 9) / 2 = 9: S = (0.5 + 1) / 9 = 0.1667
        {"teacher_first": (9, 9), "student_first": (8, 9)},
    )
    settled = assess.settle(session, Context.load(session, iteration.id))
    assert (settled.records, settled.note) == (2, "2 assessed, 0 unscored")
    hard = session.get_one(Assessment, (iteration.id, olaf.id))
    easy = session.get_one(Assessment, (iteration.id, night.id))
    assert (hard.teacher_score, hard.student_score) == (8.5, 2.5)
    assert hard.difficulty == pytest.approx(7 / 8.5)
    assert (easy.teacher_score, easy.student_score) == (8.5, 9.0)
    assert easy.difficulty == pytest.approx(1.5 / 9)
    assert hard.flags == easy.flags == []

    iteration.phase, iteration.finished_at = "done", iteration.created_at
    session.flush()
    following = next_iteration(session, create_run(session, parse_config(CONFIG)))
    chosen = session.scalars(select(Selection).where(Selection.pool_id == following.pool_id)).all()
    # One difficult, and as many easy ones.
    assert {(row.instruction_id, row.band) for row in chosen} == {
        (olaf.id, "difficult"),
        (night.id, "easy"),
    }
    assert (following.number, following.phase) == (2, "augment")
    assert session.get_one(Pool, following.pool_id).parent_id == iteration.pool_id


def test_one_order_a_flip_and_no_judgement_are_flagged(session: Session) -> None:
    iteration, (one, flip, none) = iteration_with_judgements(
        session,
        {"student_first": (7, 9)},
        {"teacher_first": (9, 7), "student_first": (6, 8)},
        {},
    )
    settled = assess.settle(session, Context.load(session, iteration.id))
    assert (settled.records, settled.note) == (3, "3 assessed, 1 unscored")
    rows = {row.instruction_id: row for row in session.scalars(select(Assessment))}
    assert (rows[one.id].teacher_score, rows[one.id].student_score) == (7, 9)
    assert rows[one.id].flags == ["one_order"]
    assert rows[one.id].difficulty == pytest.approx(3 / 9)  # the student ahead counts too
    assert (rows[flip.id].teacher_score, rows[flip.id].student_score) == (7.5, 7.5)
    assert rows[flip.id].flags == ["flip"]
    assert rows[none.id].difficulty is None
    assert rows[none.id].flags == ["not_judged"]
