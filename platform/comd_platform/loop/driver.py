"""The driver: plans a phase, rings, waits until SQL counts nothing left, goes on to the next.

It holds no state of its own. Killed anywhere and started again, by anyone, it reads the rows and
does what is left. An outage of the database is sat out in the same way: the step in hand is begun
anew from the rows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.db.engine import transaction
from comd_platform.db.outage import Patience
from comd_platform.errors import ComdError
from comd_platform.faults import fault_point
from comd_platform.ledger import (
    acknowledge,
    count_quarantined,
    count_subjects,
    cut_off_frozen,
    expire_leases,
    fatal_error,
    open_items,
    to_ring,
)
from comd_platform.loop.context import Context
from comd_platform.loop.iterations import next_iteration
from comd_platform.loop.lock import RunLock
from comd_platform.loop.order import phases_of, phases_on_a_pool
from comd_platform.loop.phases import (
    accept,
    answer,
    assess,
    augment,
    decontaminate,
    evaluate,
    judge,
    label,
    tune,
)
from comd_platform.loop.port import Settled, Silent, Watcher, Workforce
from comd_platform.review.honouring import pin
from comd_platform.runs import chain, find_run, run_config
from comd_platform.tables import Iteration, IterationPhase, WorkItem

T = TypeVar("T")

POLL_SECONDS = 0.2
_LOOK_FOR_FROZEN_SECONDS = 5.0

Plan = Callable[[Session, Context], int]

PLANNED: dict[str, Plan] = {
    "augment": augment.plan,
    "label": label.plan,
    "tune": tune.plan,
    "answer": answer.plan,
    "evaluate": evaluate.plan,
    "judge": judge.plan,
}
"""Phases that workers do: `plan` makes items for whatever lacks a row, and returns how many."""

SETTLED: dict[str, Callable[[Session, Context], Settled]] = {
    "accept": accept.settle,
    "decontaminate": decontaminate.settle,
    "assess": assess.settle,
    "evaluate": evaluate.settle,
}
"""Phases that end (or consist) in one transaction of the driver's."""


class PhaseFailed(ComdError):
    """A phase cannot go on until somebody mends the cause."""


class Stopped(ComdError):
    """The driver was asked to stop. Nothing is lost; the run can be taken up again."""


class PhaseMoved(Exception):
    """Another driver has settled the phase meanwhile: our lock was lost and theirs came between."""


class Driver:
    """Drives one run at a time over `engine`; workers are reached through `workforce`.

    `patience`: how long to wait for a database that went away.
    """

    def __init__(
        self,
        engine: Engine,
        workforce: Workforce,
        watcher: Watcher | None = None,
        *,
        stop: threading.Event | None = None,
        patience: Patience | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._engine = engine
        self._workforce = workforce
        self._watcher = watcher or Silent()
        self._stop = stop or threading.Event()
        self._patience = patience or Patience(stop=self._stop)
        self._poll_seconds = poll_seconds
        self._looked_for_frozen = 0.0

    def run(self, name: str, iterations: int | None = None, *, wait: bool = False) -> list[int]:
        """Finish `iterations` more iterations of a run, or all that its config asks for.

        Returns the ids of the iterations finished. Raises RunLocked when another driver has the
        run (`wait`: waits until it has left), PhaseFailed, StudentCaughtUp, Stopped, DatabaseGone.
        """
        finished: list[int] = []
        with RunLock(self._engine, name, wait=wait, stop=self._stop) as lock:
            while iterations is None or len(finished) < iterations:
                iteration_id = self._outlast(
                    lock, lambda: self._next(name, beyond=iterations is not None)
                )
                if iteration_id is None:
                    break
                self._outlast(lock, partial(self._finish, iteration_id, lock))
                finished.append(iteration_id)
        return finished

    def evaluate(self, name: str, iteration_id: int, plan: Plan, *, wait: bool = False) -> None:
        """Do what `plan` asks for in phase evaluate, beside the loop: the iteration stays where it is.

        Raises RunLocked, PhaseFailed, Stopped, DatabaseGone.
        """
        with RunLock(self._engine, name, wait=wait, stop=self._stop) as lock:
            self._outlast(lock, partial(self._beside, iteration_id, plan, "evaluate", lock))

    def fine_tune(self, name: str, iteration_id: int, plan: Plan, *, wait: bool = False) -> None:
        """The same for a training that `plan` asks for beside the chain of iterations."""
        with RunLock(self._engine, name, wait=wait, stop=self._stop) as lock:
            self._outlast(lock, partial(self._beside, iteration_id, plan, "tune", lock))

    def _beside(self, iteration_id: int, plan: Plan, phase: str, lock: RunLock) -> None:
        with transaction(self._engine) as session:
            context = Context.load(session, iteration_id)
        self._begin(context, phase)
        self._work(context, phase, lock, plan)
        with transaction(self._engine) as session:
            settle = SETTLED.get(phase)
            settled = settle(session, context) if settle else Settled()
            session.execute(
                update(IterationPhase)
                .where(IterationPhase.iteration_id == iteration_id, IterationPhase.phase == phase)
                .values(finished_at=func.clock_timestamp())
            )
        self._watcher.phase_finished(context.number, phase, settled.note)

    def _outlast(self, lock: RunLock, step: Callable[[], T]) -> T:
        """A step, begun anew after an outage; the lock went with the connection and comes first."""

        def locked() -> T:
            lock.check()
            return step()

        return self._patience.outlast(locked)

    def _next(self, name: str, *, beyond: bool) -> int | None:
        """The iteration to work on; None when the config's number is done and none more is asked."""
        with transaction(self._engine) as session:
            run = find_run(session, name)
            done = [found for found in chain(session, run) if found.phase == "done"]
            if not beyond and len(done) >= run_config(run).iterations:
                return None
            return next_iteration(session, run).id

    def _finish(self, iteration_id: int, lock: RunLock) -> None:
        while True:
            with transaction(self._engine) as session:
                context = Context.load(session, iteration_id)
                phase = session.get_one(Iteration, iteration_id).phase
            if phase == "done":
                return
            self._begin(context, phase)
            try:
                if phase in PLANNED:
                    self._work(context, phase, lock)
                fault_point("driver.advancing")
                note = self._advance(context, phase)
                fault_point("driver.advanced")
            except PhaseMoved:
                continue
            self._watcher.phase_finished(context.number, phase, note)

    def _begin(self, context: Context, phase: str) -> None:
        with transaction(self._engine) as session:
            begun = session.execute(
                insert(IterationPhase)
                .values(iteration_id=context.iteration_id, phase=phase)
                .on_conflict_do_nothing()
                .returning(IterationPhase.phase)
            ).first()
            if begun and phase == phases_on_a_pool(context.config, context.number)[0]:
                pin(session, context.iteration_id, context.pool_id)
            acknowledge(session, context.iteration_id, phase)
        if begun:
            # The phase before may have written most of the rows that there are, a minute before
            # autovacuum looks: with a model of no known answers PostgreSQL would read all of them
            # for every work item.
            with transaction(self._engine) as session:
                session.execute(text("ANALYZE answer, judgement"))

    def _work(
        self, context: Context, phase: str, lock: RunLock, beside: Plan | None = None
    ) -> None:
        """Plan, ring and wait; plan again until nothing lacks a row but what is quarantined."""
        started = False
        while True:
            if self._plan_if_idle(context, phase, beside) == 0:
                self._check_quarantine(context, phase)
                return
            total = self._count(context, phase)[1]
            if not started:
                self._watcher.phase_started(context.number, phase, total)
                started = True
            self._wait(context, phase, lock)

    def _check_quarantine(self, context: Context, phase: str) -> None:
        """A cause that spoils most records (a wrong image root, say) must not pass for a result."""
        with transaction(self._engine) as session:
            given_up = count_quarantined(session, context.iteration_id, phase)
            asked = count_subjects(session, context.iteration_id, phase) if given_up else 0
        if given_up > context.config.ledger.quarantined_share * asked:
            raise PhaseFailed(
                f"iteration {context.number}, phase {phase}: {given_up} records failed, most there were",
                hint=f"comd failures {context.config.name} says why; mend it, then comd retry.",
            )

    def _plan_if_idle(self, context: Context, phase: str, beside: Plan | None) -> int:
        """Items left to wait for: those standing open (a driver died), or newly planned ones.

        `beside` plans work that the loop does not: the iteration need not stand in the phase.
        """
        with transaction(self._engine) as session:
            if beside is None:
                _hold(session, context, phase)
            standing = open_items(session, context.iteration_id, phase)
            if standing:
                return standing
            planned = (beside or PLANNED[phase])(session, context)
        if planned:
            _, total, left = self._count(context, phase)
            assert left, f"phase {phase} planned {planned} records and no work item"
            with transaction(self._engine) as session:
                session.execute(
                    update(IterationPhase)
                    .where(
                        IterationPhase.iteration_id == context.iteration_id,
                        IterationPhase.phase == phase,
                    )
                    .values(total=total)
                )
            fault_point("driver.planned")
        return planned

    def _wait(self, context: Context, phase: str, lock: RunLock) -> None:
        """Until no item of the phase is open. Raises PhaseFailed, Stopped, RunLocked."""
        while True:
            if self._stop.is_set():
                raise Stopped(
                    f"stopped in iteration {context.number}, phase {phase}",
                    hint=f"Go on with: comd iterate {context.config.name}",
                )
            lock.check()
            ledger = context.config.ledger
            with transaction(self._engine) as session:
                # After an outage every worker is given the time to renew what it holds.
                if not self._patience.mended_within(ledger.lease_seconds):
                    expire_leases(session, context.iteration_id, item_attempts=ledger.item_attempts)
                    self._cut_off_frozen(session)
                fatal = fatal_error(session, context.iteration_id, phase)
                bells = to_ring(session, context.iteration_id, phase)
            if fatal is not None:
                raise PhaseFailed(
                    f"iteration {context.number}, phase {phase}: {fatal}",
                    hint=f"Mend it and run again: comd iterate {context.config.name}",
                )
            for item_id, role in bells:
                self._workforce.ring(item_id, role)
            if bells:
                fault_point("driver.rung")
            self._workforce.tend()
            done, total, left = self._count(context, phase)
            self._watcher.phase_progress(context.number, phase, done, total)
            if left == 0:
                return
            self._stop.wait(self._poll_seconds)

    def _cut_off_frozen(self, session: Session) -> None:
        if time.monotonic() - self._looked_for_frozen > _LOOK_FOR_FROZEN_SECONDS:
            self._looked_for_frozen = time.monotonic()
            cut_off_frozen(session)

    def _count(self, context: Context, phase: str) -> tuple[int, int, int]:
        """(records done, records in all, items open); an item without records counts as one."""
        records = func.greatest(func.cardinality(WorkItem.subject_ids), 1)
        with transaction(self._engine) as session:
            row = session.execute(
                select(
                    func.coalesce(func.sum(records).filter(WorkItem.state == "done"), 0),
                    func.coalesce(
                        func.sum(records).filter(WorkItem.state.in_(("done", "pending", "leased"))),
                        0,
                    ),
                    func.count().filter(WorkItem.state.in_(("pending", "leased"))),
                ).where(WorkItem.iteration_id == context.iteration_id, WorkItem.phase == phase)
            ).one()
        return int(row[0]), int(row[1]), int(row[2])

    def _advance(self, context: Context, phase: str) -> str | None:
        """Settle what the phase leaves to the driver, and step to the next: one transaction."""
        order = phases_of(context.config, context.number)
        following = order[order.index(phase) + 1 :]
        with transaction(self._engine) as session:
            _hold(session, context, phase)
            settle = SETTLED.get(phase)
            settled = settle(session, context) if settle else Settled()
            values: dict[str, object] = {"note": settled.note}
            if settled.records is not None:
                values["total"] = settled.records
            session.execute(
                update(IterationPhase)
                .where(
                    IterationPhase.iteration_id == context.iteration_id,
                    IterationPhase.phase == phase,
                )
                .values(finished_at=func.clock_timestamp(), **values)
            )
            session.execute(
                update(Iteration)
                .where(Iteration.id == context.iteration_id, Iteration.phase == phase)
                .values(
                    phase=following[0] if following else "done",
                    finished_at=None if following else func.clock_timestamp(),
                )
            )
        return settled.note


def _hold(session: Session, context: Context, phase: str) -> None:
    """Lock the iteration's row for this transaction: planning and settling happen once.

    The advisory lock keeps a second driver away, but it dies with a connection, and its holder may
    not have noticed yet. Raises PhaseMoved where the iteration does not stand in `phase` any more.
    """
    stands = session.scalar(
        select(Iteration.phase)
        .where(Iteration.id == context.iteration_id)
        .with_for_update(key_share=True)  # rows may go on referring to it
    )
    if stands != phase:
        raise PhaseMoved
