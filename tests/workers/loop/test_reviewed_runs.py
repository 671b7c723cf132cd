"""The loop goes by people's decisions; on scripted engines, with the real handlers."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_workers import inline_workforce
from recompute import check_run
from sqlalchemy import Engine, text
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import transaction
from comd_platform.keys import revision_key
from comd_platform.loop.driver import Driver
from comd_platform.loop.port import Silent
from comd_platform.review import Decision, record
from comd_platform.runs import RunError, create_run
from comd_platform.settings import Settings


@pytest.fixture
def world(engine: Engine, settings: Settings, tmp_path: Path) -> Engine:
    import_toy_world(engine, settings, tmp_path / "toy")
    with transaction(engine) as session:
        create_run(session, toy_config(pools={"mode": "accumulate"}))
    return engine


def drive(
    engine: Engine, settings: Settings, iterations: int, watcher: Silent | None = None
) -> None:
    with inline_workforce(engine.url, settings) as workforce:
        Driver(engine, workforce, watcher, poll_seconds=0.01).run("toy", iterations)


def decide(engine: Engine, decision: Decision) -> None:
    with transaction(engine) as session:
        record(session, decision)


def ids(engine: Engine, statement: str, **parameters: object) -> set[int]:
    with engine.connect() as connection:
        return set(connection.execute(text(statement), parameters).scalars())


def trained(engine: Engine, iteration: int) -> set[int]:
    return ids(
        engine,
        "SELECT instruction_id FROM training_example JOIN training_run"
        " ON training_run.id = training_run_id WHERE iteration_id = :iteration",
        iteration=iteration,
    )


def sources(engine: Engine) -> set[int]:
    return ids(engine, "SELECT instruction_id FROM selection WHERE pool_id = 2")


def test_rejected_and_edited_ones_are_neither_tuned_on_nor_grown_from(
    world: Engine, settings: Settings
) -> None:
    decide(world, Decision(1, "reject", "ada"))
    drive(world, settings, 1)
    assert trained(world, 1) == set(range(2, 25))
    with world.connect() as connection:
        difficult = connection.execute(
            text(
                "SELECT instruction_id, key FROM difficult_instruction"
                " JOIN instruction ON instruction.id = instruction_id"
                " WHERE instruction_id <> 1 ORDER BY difficulty DESC, key"
            )
        ).all()
    (rejected, _), (edited, key), (flagged, _) = difficult[:3]
    decide(world, Decision(rejected, "reject", "ada", note="blurred"))
    decide(world, Decision(edited, "edit", "ada", text="What stands in this picture?"))
    decide(world, Decision(flagged, "flag", "ada"))
    decide(world, Decision(difficult[3][0], "accept", "ada"))

    drive(world, settings, 1)
    assert not sources(world) & {1, rejected, edited}
    assert flagged in sources(world)
    assert difficult[3][0] in sources(world)
    assert not trained(world, 2) & {1, rejected, edited}
    # The correction is a new instruction of the new pool, answered anew and tuned on.
    with world.connect() as connection:
        [born] = connection.execute(
            text("SELECT instruction.* FROM instruction JOIN revision ON instruction_id = id")
        ).all()
    assert (born.pool_id, born.parent_id, born.text) == (2, edited, "What stands in this picture?")
    assert born.key == revision_key(key, born.text)
    assert born.id in trained(world, 2)
    # All of it, recomputed decision by decision; and it is not born twice.
    drive(world, settings, 1)
    assert check_run(world, "toy") == 3
    assert len(ids(world, "SELECT instruction_id FROM revision")) == 1
    told = "SELECT instruction_id FROM set_aside_instruction WHERE run = 'toy' AND iteration = 3"
    assert ids(world, told) == {1, rejected, edited}


def test_a_decision_in_mid_iteration_waits_for_the_next_pool(
    world: Engine, settings: Settings
) -> None:
    class Reviewer(Silent):
        """Decides while the teacher is labelling, before the training is planned."""

        def phase_started(self, iteration: int, phase: str, total: int) -> None:
            if phase == "label":
                decide(world, Decision(2, "reject", "ada"))

    drive(world, settings, 1, Reviewer())
    assert 2 in trained(world, 1)
    drive(world, settings, 1)
    assert 2 not in sources(world)
    assert 2 not in trained(world, 2)
    assert check_run(world, "toy") == 2


def test_what_was_undone_is_tuned_on_again(world: Engine, settings: Settings) -> None:
    decide(world, Decision(1, "reject", "ada"))
    drive(world, settings, 1)
    decide(world, Decision(1, "undo", "ada", undoes_id=1))
    drive(world, settings, 1)
    assert 1 not in trained(world, 1)
    assert 1 in trained(world, 2)


def test_where_everything_is_rejected_the_run_says_so(world: Engine, settings: Settings) -> None:
    for instruction in range(1, 25):
        decide(world, Decision(instruction, "reject", "ada"))
    with pytest.raises(RunError, match="nothing to tune on") as error:
        drive(world, settings, 1)
    assert "comd review" in str(error.value.hint)
