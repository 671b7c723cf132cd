"""The driver: has the work of a phase done (`loop.work`), settles it, goes on to the next.

It holds no state of its own. Killed anywhere and started again, by anyone, it reads the rows and
does what is left. An outage of the database is sat out in the same way: the step in hand is begun
anew from the rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Engine, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.db.engine import transaction
from comd_platform.db.outage import Patience
from comd_platform.faults import fault_point
from comd_platform.ledger import acknowledge
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
from comd_platform.loop.work import POLL_SECONDS, PhaseMoved, PhaseWork, Plan, hold
from comd_platform.review.honouring import pin
from comd_platform.runs import chain, find_run, run_config
from comd_platform.tables import Iteration, IterationPhase

T = TypeVar("T")

PLANNED: dict[str, Plan] = {
    "augment": augment.plan,
    "label": label.plan,
    "tune": tune.plan,
    "answer": answer.plan,
    "evaluate": evaluate.plan,
    "judge": judge.plan,
}
"""Phases that workers do."""

SETTLED: dict[str, Callable[[Session, Context], Settled]] = {
    "accept": accept.settle,
    "decontaminate": decontaminate.settle,
    "assess": assess.settle,
    "evaluate": evaluate.settle,
}
"""Phases that end (or consist) in one transaction of the driver's."""


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
        self._watcher = watcher or Silent()
        self._stop = stop or threading.Event()
        self._patience = patience or Patience(stop=self._stop)
        self._work = PhaseWork(
            engine, workforce, self._watcher, self._stop, self._patience, poll_seconds
        )

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
        self._work.do(context, phase, lock, plan, beside=True)
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
                    self._work.do(context, phase, lock, PLANNED[phase])
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

    def _advance(self, context: Context, phase: str) -> str | None:
        """Settle what the phase leaves to the driver, and step to the next: one transaction."""
        order = phases_of(context.config, context.number)
        following = order[order.index(phase) + 1 :]
        with transaction(self._engine) as session:
            hold(session, context.iteration_id, phase)
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
