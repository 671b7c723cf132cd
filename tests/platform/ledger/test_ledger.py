from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select, text

from comd_platform.config.load import parse_config
from comd_platform.db.engine import transaction
from comd_platform.ledger import (
    Claim,
    FailedRecord,
    LeaseLost,
    acknowledge,
    alive_workers,
    claim,
    claim_like,
    complete,
    expire_leases,
    fail,
    fatal_error,
    open_items,
    plan_items,
    record_failures,
    register_worker,
    release,
    renew,
    resolve_failures,
    retire_worker,
    to_ring,
)
from comd_platform.ledger.failing import forgive
from comd_platform.loop.iterations import next_iteration
from comd_platform.runs import create_run
from comd_platform.tables import Failure, Instruction, Pool, WorkItem

CONFIG = {
    "name": "r",
    "pool": "p",
    "teacher": {"model": {"engine": "scripted", "model": "quiz"}},
    "student": {"model": {"engine": "scripted", "model": "quiz", "options": {"role": "student"}}},
}


class Desk:
    """An iteration with ten instructions, and a worker."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with transaction(engine) as session:
            pool = Pool(name="p", origin="import")
            session.add(pool)
            session.flush()
            rows = [
                Instruction(pool_id=pool.id, task_type="x", text=f"q{n}?", key=f"{n:064x}")
                for n in range(10)
            ]
            session.add_all(rows)
            session.flush()
            self.subjects = [row.id for row in rows]
            self.iteration = next_iteration(session, create_run(session, parse_config(CONFIG))).id
            self.worker = register_worker(
                session, name="w", host="h", pid=1, roles=["teacher"], device="cpu"
            )

    def plan(self, batch: int = 10) -> list[int]:
        with transaction(self.engine) as session:
            plan_items(
                session,
                iteration_id=self.iteration,
                phase="label",
                role="teacher",
                subjects=select(Instruction.id),
                order=Instruction.id,
                batch=batch,
            )
        return self.items()

    def items(self, *states: str) -> list[int]:
        with transaction(self.engine) as session:
            query = select(WorkItem.id).order_by(WorkItem.id)
            if states:
                query = query.where(WorkItem.state.in_(states))
            return list(session.scalars(query))

    def claim(self, item: int, lease_seconds: float = 60) -> Claim:
        with transaction(self.engine) as session:
            held = claim(session, item, self.worker, lease_seconds)
        assert held is not None
        return held

    def item(self, item: int) -> WorkItem:
        with transaction(self.engine) as session:
            return session.get_one(WorkItem, item)

    def open(self) -> int:
        with transaction(self.engine) as session:
            return open_items(session, self.iteration, "label")


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk(engine)


def test_batches_hold_every_subject_once_and_in_order(desk: Desk) -> None:
    items = desk.plan(batch=4)
    batches = [desk.item(item).subject_ids for item in items]
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [subject for batch in batches for subject in batch] == desk.subjects


def test_subjects_are_taken_in_the_order_asked_for_and_counted(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        planned = [
            plan_items(
                session,
                iteration_id=desk.iteration,
                phase="label",
                role="teacher",
                subjects=select(Instruction.id).where(chosen),
                order=Instruction.key.desc(),
                batch=3,
            )
            for chosen in (Instruction.id != desk.subjects[4], Instruction.text == "nobody")
        ]
    wanted = [subject for subject in reversed(desk.subjects) if subject != desk.subjects[4]]
    assert planned == [9, 0]
    assert [desk.item(item).subject_ids for item in desk.items("pending")] == [
        wanted[:3],
        wanted[3:6],
        wanted[6:],
    ]


def test_an_item_is_claimed_once_however_many_try(desk: Desk) -> None:
    [item] = desk.plan()
    claims: list[Claim | None] = []

    def try_it() -> None:
        with transaction(desk.engine) as session:
            claims.append(claim(session, item, desk.worker, 60))

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([held for held in claims if held is not None]) == 1
    assert len(claims) == 8


def test_done_is_marked_only_with_the_token(desk: Desk) -> None:
    [item] = desk.plan()
    held = desk.claim(item)
    stale = replace(held, token=type(held.token)(int=1))
    with pytest.raises(LeaseLost), transaction(desk.engine) as session:
        complete(session, stale)
    assert desk.item(item).state == "leased"
    with transaction(desk.engine) as session:
        complete(session, held)
    assert (desk.item(item).state, desk.open()) == ("done", 0)


def test_a_worker_that_wakes_after_its_lease_can_write_nothing(desk: Desk) -> None:
    [item] = desk.plan()
    asleep = desk.claim(item, lease_seconds=-1)
    with transaction(desk.engine) as session:
        assert expire_leases(session, desk.iteration, item_attempts=3) == 1
    awake = desk.claim(item)
    with transaction(desk.engine) as session:
        assert not renew(session, asleep, 60)

    def write_too_late() -> None:
        with transaction(desk.engine) as session:
            session.execute(text("UPDATE instruction SET task_type = 'written by a ghost'"))
            complete(session, asleep)

    with pytest.raises(LeaseLost):
        write_too_late()
    with transaction(desk.engine) as session:
        assert set(session.scalars(select(Instruction.task_type))) == {"x"}
        complete(session, awake)


def test_a_renewed_lease_does_not_expire(desk: Desk) -> None:
    [item] = desk.plan()
    held = desk.claim(item, lease_seconds=-1)
    with transaction(desk.engine) as session:
        assert renew(session, held, 60)
        assert expire_leases(session, desk.iteration, item_attempts=3) == 0


def test_a_released_item_is_as_if_never_claimed(desk: Desk) -> None:
    [item] = desk.plan()
    held = desk.claim(item)
    with transaction(desk.engine) as session:
        assert release(session, held)
    found = desk.item(item)
    assert (found.state, found.claims, found.failures) == ("pending", 0, 0)


def test_a_failing_item_is_split_until_one_record_stands_alone(desk: Desk) -> None:
    [_] = desk.plan()
    culprit = desk.subjects[6]
    for _ in range(200):
        pending = desk.items("pending")
        if not pending:
            break
        held = desk.claim(pending[0])
        with transaction(desk.engine) as session:
            if culprit in held.subject_ids:
                fail(session, held, "it hurts", item_attempts=2)
            else:
                complete(session, held)
    assert desk.open() == 0
    with transaction(desk.engine) as session:
        [failure] = session.scalars(select(Failure))
        done = session.scalars(select(WorkItem).where(WorkItem.state == "done")).all()
    assert (failure.instruction_id, failure.state) == (culprit, "quarantined")
    assert failure.detail == "it hurts"
    finished = {subject for row in done for subject in row.subject_ids}
    assert finished == set(desk.subjects) - {culprit}


def test_lost_workers_weigh_less_than_failures_but_not_nothing(desk: Desk) -> None:
    [item] = desk.plan()
    lost = 0
    while desk.item(item).state != "split":
        desk.claim(item, lease_seconds=-1)
        with transaction(desk.engine) as session:
            expire_leases(session, desk.iteration, item_attempts=2)
        lost += 1
    assert lost == 10


def test_a_fatal_failure_ends_the_phase_until_it_is_acknowledged(desk: Desk) -> None:
    [item] = desk.plan()
    held = desk.claim(item)
    with transaction(desk.engine) as session:
        fail(session, held, "wrong key", item_attempts=3, fatal=True)
        assert fatal_error(session, desk.iteration, "label") == "wrong key"
        acknowledge(session, desk.iteration, "label")
        assert fatal_error(session, desk.iteration, "label") is None
        assert session.scalars(select(Failure)).all() == []


def test_a_record_is_quarantined_after_its_attempts_and_can_be_forgiven(desk: Desk) -> None:
    [item] = desk.plan()
    held = desk.claim(item)
    failed = FailedRecord(desk.subjects[0], "refusal", "no")

    def state() -> list[tuple[str, int]]:
        with transaction(desk.engine) as session:
            return [(row.state, row.attempts) for row in session.scalars(select(Failure))]

    for _ in range(3):
        with transaction(desk.engine) as session:
            record_failures(session, held, [failed], record_attempts=3)
    assert state() == [("quarantined", 3)]
    with transaction(desk.engine) as session:
        assert forgive(session, desk.iteration, "judge") == 0
        assert forgive(session, desk.iteration, "label") == 1
    assert state() == [("retrying", 1)]
    with transaction(desk.engine) as session:
        resolve_failures(session, held, [desk.subjects[0]])
    assert state() == [("resolved", 1)]


def test_bells_are_few_and_ring_again_only_when_they_seem_lost(desk: Desk) -> None:
    items = desk.plan(batch=1)
    with transaction(desk.engine) as session:
        first = to_ring(session, desk.iteration, "label", limit=4)
    assert first == [(item, "teacher") for item in items[:4]]
    with transaction(desk.engine) as session:
        assert to_ring(session, desk.iteration, "label", limit=4) == []
    desk.claim(items[0])
    with transaction(desk.engine) as session:
        assert to_ring(session, desk.iteration, "label", limit=4) == [(items[4], "teacher")]
        session.execute(text("UPDATE work_item SET rung_at = now() - interval '1 hour'"))
    with transaction(desk.engine) as session:
        assert len(to_ring(session, desk.iteration, "label", limit=4)) == 4


def test_workers_are_alive_while_they_beat(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        assert [worker.name for worker in alive_workers(session, "teacher")] == ["w"]
        assert alive_workers(session, "trainer") == []
        session.execute(text("UPDATE worker SET heartbeat_at = now() - interval '1 minute'"))
    with transaction(desk.engine) as session:
        assert alive_workers(session) == []
        again = register_worker(session, name="w", host="h", pid=2, roles=["trainer"], device="cpu")
        assert again == desk.worker
        retire_worker(session, again)
    with transaction(desk.engine) as session:
        assert alive_workers(session) == []


def test_another_item_like_the_one_in_hand_is_taken_from_the_end(engine: Engine) -> None:
    desk = Desk(engine)
    items = desk.plan(batch=2)
    held = desk.claim(items[0])
    with transaction(engine) as session:
        assert (
            claim_like(session, held, desk.worker) is None
        )  # no bell has rung: no driver wants it
        assert len(to_ring(session, desk.iteration, "label")) == len(items) - 1
    with transaction(engine) as session:
        plan_items(
            session,
            iteration_id=desk.iteration,
            phase="label",
            role="assessor",  # not for this model
            subjects=select(Instruction.id),
            order=Instruction.id,
            batch=10,
        )
    with transaction(engine) as one, transaction(engine) as other:
        first, second = (claim_like(session, held, desk.worker) for session in (one, other))
        assert first is not None
        assert second is not None
        assert (first.item_id, second.item_id) == (items[-1], items[-2])  # nobody waits for nobody
    with transaction(engine) as session:
        while (taken := claim_like(session, held, desk.worker)) is not None:
            assert taken.item_id in items[1:-2]
            assert not taken.suspect
    assert len(desk.items("leased")) == len(items)


def test_what_was_lost_or_failed_before_is_a_suspect(engine: Engine) -> None:
    desk = Desk(engine)
    first, lost, failed, put_back, last = desk.plan(batch=2)
    held = desk.claim(first)
    desk.claim(lost, lease_seconds=-1)
    with transaction(engine) as session:
        expire_leases(session, desk.iteration, item_attempts=3)
        fail(session, desk.claim(failed), "no", item_attempts=3)
        release(session, desk.claim(put_back))
        to_ring(session, desk.iteration, "label")
    with transaction(engine) as session:
        beside = [claim_like(session, held, desk.worker) for _ in range(3)]
    assert [each and each.item_id for each in beside] == [last, put_back, None]
    assert [desk.claim(item).suspect for item in (lost, failed)] == [True, True]
