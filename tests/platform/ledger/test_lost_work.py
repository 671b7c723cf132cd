"""Work that something outside ended: a training that was killed, a phase that moved under a driver."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, text, update
from sqlalchemy.exc import DBAPIError

from comd_platform.config.load import parse_config
from comd_platform.db.engine import make_engine, transaction
from comd_platform.ledger import (
    Claim,
    LeaseLost,
    beat,
    claim,
    complete,
    cut_off_frozen,
    done_within,
    expire_leases,
    fatal_error,
    got_on,
    lose,
    register_worker,
    session_name,
    sweeping,
)
from comd_platform.loop.iterations import next_iteration
from comd_platform.loop.work import PhaseMoved, hold
from comd_platform.runs import create_run
from comd_platform.tables import Iteration, Pool, WorkItem

CONFIG = {
    "name": "r",
    "pool": "p",
    "teacher": {"model": {"engine": "scripted", "model": "quiz"}},
    "student": {"model": {"engine": "scripted", "model": "quiz", "options": {"role": "student"}}},
}


class Training:
    """An iteration with one item without subjects, as a training's is."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with transaction(engine) as session:
            session.add(Pool(name="p", origin="import"))
            session.flush()
            self.iteration = next_iteration(session, create_run(session, parse_config(CONFIG))).id
            self.worker = register_worker(
                session, name="w", host="h", pid=1, roles=["trainer"], device="cpu"
            )
            item = WorkItem(
                iteration_id=self.iteration, phase="tune", role="trainer", subject_ids=[]
            )
            session.add(item)
            session.flush()
            self.item = item.id

    def claim(self) -> Claim:
        with transaction(self.engine) as session:
            held = claim(session, self.item, self.worker, 60)
        assert held is not None
        return held

    def lose(self, held: Claim) -> WorkItem:
        with transaction(self.engine) as session:
            lose(session, held, "killed: by SIGKILL", item_attempts=3)
        with transaction(self.engine) as session:
            return session.get_one(WorkItem, self.item)


@pytest.fixture
def training(engine: Engine) -> Training:
    return Training(engine)


def test_a_killed_training_is_given_up_after_fifteen_times_without_getting_on(
    training: Training,
) -> None:
    for _ in range(14):
        item = training.lose(training.claim())
        assert (item.state, item.failures, item.rung_at) == ("pending", 0, None)
    item = training.lose(training.claim())
    assert (item.state, item.fatal, item.error) == ("failed", True, "killed: by SIGKILL")
    with transaction(training.engine) as session:
        assert fatal_error(session, training.iteration, "tune") == "killed: by SIGKILL"


def test_a_training_that_saves_in_between_is_never_given_up(training: Training) -> None:
    for _ in range(40):
        held = training.claim()
        with transaction(training.engine) as session:
            assert got_on(session, held)
        assert training.lose(held).state == "pending"


def test_a_lost_lease_can_neither_lose_nor_get_on(training: Training) -> None:
    held = training.claim()
    training.lose(held)
    with pytest.raises(LeaseLost):
        training.lose(held)
    with transaction(training.engine) as session:
        assert not got_on(session, held)


def test_a_worker_that_froze_in_a_transaction_is_cut_off(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its open transaction holds the item's row: found by the chaos suite, where a run stood still."""
    held = training.claim()
    monkeypatch.setattr(sweeping, "SILENT_SECONDS", 0.3)
    frozen = make_engine(training.engine.url, application_name=session_name(training.worker))
    connection = frozen.connect()
    connection.execute(
        update(WorkItem)
        .where(WorkItem.id == held.item_id)
        .values(lease_expires_at=func.clock_timestamp() - timedelta(minutes=5))
    )
    connection.commit()
    connection.execute(update(WorkItem).where(WorkItem.id == held.item_id).values(error="half"))

    def sweep() -> tuple[int, int]:
        with transaction(training.engine) as session:
            expired = expire_leases(session, training.iteration, item_attempts=3)
            return expired, cut_off_frozen(session)

    def alive() -> None:
        with transaction(training.engine) as session:
            beat(session, training.worker, "busy")

    time.sleep(0.5)
    alive()
    assert sweep() == (0, 0)  # the row is held, but by somebody who lives: it writes
    time.sleep(0.5)
    assert sweep() == (0, 1)
    while sweep()[0] == 0:
        time.sleep(0.05)
    with pytest.raises(DBAPIError):
        connection.execute(text("SELECT 1"))
    connection.invalidate()
    frozen.dispose()
    with transaction(training.engine) as session:
        item = session.get_one(WorkItem, training.item)
        assert (item.state, item.error) == ("pending", None)


def test_a_row_that_somebody_holds_is_not_waited_for(training: Training) -> None:
    """A worker that froze while it claimed must not hang the others."""
    with training.engine.connect() as claiming:
        claiming.execute(update(WorkItem).values(claims=0))
        with transaction(training.engine) as session:
            assert claim(session, training.item, training.worker, 60) is None
    assert training.claim().item_id == training.item


def test_what_was_done_lately_is_known(training: Training) -> None:
    with transaction(training.engine) as session:
        assert not done_within(session, 60)
    held = training.claim()
    with transaction(training.engine) as session:
        complete(session, held)
    with transaction(training.engine) as session:
        assert done_within(session, 3600)
        assert not done_within(session, 0)


def test_a_phase_is_planned_and_settled_by_one_driver_alone(training: Training) -> None:
    """The advisory lock died with a connection, another driver went on, and this one wakes up."""
    with transaction(training.engine) as session:
        stands = session.get_one(Iteration, training.iteration).phase
        hold(session, training.iteration, stands)
    with transaction(training.engine) as session:
        session.execute(
            update(Iteration).where(Iteration.id == training.iteration).values(phase="judge")
        )
    with pytest.raises(PhaseMoved), transaction(training.engine) as session:
        hold(session, training.iteration, stands)
