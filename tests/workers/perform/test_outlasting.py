"""What a worker does with a lease that is gone and with metrics that have nowhere to go."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Engine, select, text
from sqlalchemy.exc import DBAPIError

from comd_platform.config.load import parse_config
from comd_platform.db.engine import make_engine, transaction
from comd_platform.db.outage import DatabaseGone, Patience
from comd_platform.ledger import Claim, LeaseLost, claim, register_worker
from comd_platform.loop.iterations import next_iteration
from comd_platform.models import role_model
from comd_platform.runs import create_run
from comd_platform.tables import Pool, TrainingMetric, TrainingRun, WorkItem
from comd_training.metrics import Metric
from comd_workers.drain import Drain, PutBack
from comd_workers.perform.heartbeat import Heartbeat
from comd_workers.perform.recording import Recorder

CONFIG = {
    "name": "r",
    "pool": "p",
    "teacher": {"model": {"engine": "scripted", "model": "quiz"}},
    "student": {"model": {"engine": "scripted", "model": "quiz", "options": {"role": "student"}}},
}


@pytest.fixture
def held(engine: Engine) -> tuple[Claim, int]:
    """A training's claim, and its training run."""
    with transaction(engine) as session:
        session.add(Pool(name="p", origin="import"))
        session.flush()
        config = parse_config(CONFIG)
        iteration = next_iteration(session, create_run(session, config))
        worker = register_worker(session, name="w", host="h", pid=1, roles=["trainer"], device="c")
        item = WorkItem(iteration_id=iteration.id, phase="tune", role="trainer", subject_ids=[])
        training = TrainingRun(
            iteration_id=iteration.id,
            key="k",
            base_model_id=role_model(session, config, "student"),
            objective="sft",
            config={},
            seed=0,
        )
        session.add_all([item, training])
        session.flush()
        found = claim(session, item.id, worker, 60)
        assert found is not None
        return found, training.id


@pytest.fixture
def heartbeat(database: URL, held: tuple[Claim, int]) -> Iterator[Heartbeat]:
    with Heartbeat(database, 1) as beating:
        yield beating


def take_away(engine: Engine) -> None:
    """What a sweep after the lease's end does."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE work_item SET state = 'pending', token = NULL, lease_expires_at = NULL")
        )


def test_a_beat_finds_out_that_the_lease_is_gone(
    engine: Engine, held: tuple[Claim, int], heartbeat: Heartbeat
) -> None:
    heartbeat.check(held[0])  # it is not held yet
    heartbeat.holding(held[0], 0.4)
    heartbeat.check(held[0])
    take_away(engine)

    def look_on() -> None:
        for _ in range(600):  # the thread's next beat tells
            heartbeat.check(held[0])
            time.sleep(0.05)

    with pytest.raises(LeaseLost):
        look_on()


def test_after_a_silence_the_database_is_asked_at_once(
    database: URL, engine: Engine, held: tuple[Claim, int]
) -> None:
    frozen = Heartbeat(database, 1)  # its thread does not run, as after SIGSTOP
    frozen.holding(held[0], 0.01)
    time.sleep(0.05)
    frozen.check(held[0])
    take_away(engine)
    time.sleep(0.05)
    with pytest.raises(LeaseLost):
        frozen.check(held[0])
    frozen._engine.dispose()


def test_each_of_two_claims_is_renewed_though_the_row_of_one_is_held(
    engine: Engine, database: URL, held: tuple[Claim, int]
) -> None:
    with transaction(engine) as session:
        beside = WorkItem(iteration_id=1, phase="tune", role="trainer", subject_ids=[])
        session.add(beside)
        session.flush()
        other = claim(session, beside.id, 1, 60)
    assert other is not None
    beating = Heartbeat(database, 1)  # no thread: the beats are ours
    beating.holding(held[0], 60)
    beating.holding(other, 3600)
    writing = engine.connect()
    writing.execute(
        text("SELECT FROM work_item WHERE id = :id FOR UPDATE"), {"id": held[0].item_id}
    )
    with pytest.raises(DBAPIError, match="lock timeout"):
        beating._beat()
    writing.close()
    until = "SELECT lease_expires_at - now() > interval '30 minutes' FROM work_item WHERE id = :id"
    with engine.connect() as connection:
        assert connection.scalar(text(until), {"id": other.item_id})
    take_away(engine)
    beating.released(other)
    beating._beat()
    beating.check(other)  # no business of ours any more
    with pytest.raises(LeaseLost, match=f"work item {held[0].item_id} "):
        beating.check(held[0])
    beating._engine.dispose()


def test_a_beat_tells_how_much_memory_the_worker_holds(
    database: URL, engine: Engine, held: tuple[Claim, int]
) -> None:
    beating = Heartbeat(database, 1)
    beating._beat()
    beating._engine.dispose()
    with engine.connect() as connection:
        row = connection.execute(text("SELECT memory_bytes, device_bytes FROM worker")).one()
    assert row.memory_bytes > 10 * 2**20
    assert row.device_bytes is None


def metric(step: int, loss: float = 1.0) -> Metric:
    return Metric(step, loss, 1e-3, 1.0, 5, 9, float(step))


def test_metrics_are_kept_while_the_database_is_away(
    engine: Engine, held: tuple[Claim, int]
) -> None:
    claimed, training = held
    nowhere = make_engine(engine.url.update_query_dict({"host": "/nonexistent"}))
    recorder = Recorder(nowhere, claimed, training)
    for step in (1, 2, 3):
        recorder.metric(metric(step))
    recorder.saved(2)
    recorder.metric(metric(3, loss=0.5))  # told again after a resumption
    stop = threading.Event()
    stop.set()
    with pytest.raises(DatabaseGone):
        recorder.close(Patience(60, stop=stop))
    recorder._database = engine  # it is back
    recorder.close(Patience(60))
    with transaction(engine) as session:
        rows = session.execute(
            select(TrainingMetric.step, TrainingMetric.loss).order_by(TrainingMetric.step)
        ).all()
        assert [tuple(row) for row in rows] == [(1, 1.0), (2, 1.0), (3, 0.5)]
        assert session.get_one(TrainingRun, training).saved_step == 2
    nowhere.dispose()


def test_a_computation_is_interrupted_only_after_the_grace_and_only_inside() -> None:
    drain = Drain()
    drain.install()
    try:
        with drain.interruptible():
            pass  # not asked: nothing happens
        drain.begin(grace_seconds=0.2)
        time.sleep(0.5)  # overdue, but nothing is being computed
        with pytest.raises(PutBack), drain.interruptible():
            pytest.fail("an overdue worker began another computation")
        late = Drain()
        late.install()
        late.begin(grace_seconds=0.2)
        with pytest.raises(PutBack), late.interruptible():
            time.sleep(60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_many_short_items_take_one_beat_a_second(
    engine: Engine, held: tuple[Claim, int], heartbeat: Heartbeat
) -> None:
    def beaten_at() -> object:
        with engine.connect() as connection:
            return connection.execute(text("SELECT heartbeat_at FROM worker")).scalar_one()

    seen = set()
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < 3.3:
        heartbeat.holding(held[0], 60.0)
        seen.add(beaten_at())
        time.sleep(0.02)
    # One before the first claim; then the claims' own, a second or more apart.
    assert 3 <= len(seen) <= 2 + passed


def test_a_claim_right_after_a_beat_is_renewed_within_about_a_second(
    engine: Engine, held: tuple[Claim, int], heartbeat: Heartbeat
) -> None:
    def renewed_within(seconds: float) -> bool:
        with engine.begin() as connection:
            connection.execute(text("UPDATE work_item SET lease_expires_at = clock_timestamp()"))
        heartbeat.holding(held[0], 600.0)
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            with engine.connect() as connection:
                ahead = "SELECT lease_expires_at > clock_timestamp() FROM work_item"
                if connection.execute(text(ahead)).scalar_one():
                    return True
            time.sleep(0.02)
        return False

    assert renewed_within(4.0)
    assert renewed_within(4.0)  # the next beat of a worker that holds nothing new comes after five
