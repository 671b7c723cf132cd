"""The work of one phase: planned once, rung, and waited for until SQL counts nothing left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from comd_platform.db.engine import transaction
from comd_platform.db.outage import Patience
from comd_platform.errors import ComdError
from comd_platform.faults import fault_point
from comd_platform.ledger import (
    count_quarantined,
    count_subjects,
    cut_off_frozen,
    expire_leases,
    fatal_error,
    open_items,
    to_ring,
)
from comd_platform.loop.context import Context
from comd_platform.loop.lock import RunLock
from comd_platform.loop.port import Watcher, Workforce
from comd_platform.tables import Iteration, IterationPhase, WorkItem

POLL_SECONDS = 0.2
_LOOK_FOR_FROZEN_SECONDS = 5.0

Plan = Callable[[Session, Context], int]
"""Makes work items for whatever lacks a row, and returns how many records they are of."""


class PhaseFailed(ComdError):
    """A phase cannot go on until somebody mends the cause."""


class Stopped(ComdError):
    """The driver was asked to stop. Nothing is lost; the run can be taken up again."""


class PhaseMoved(Exception):
    """Another driver has settled the phase meanwhile: our lock was lost and theirs came between."""


class PhaseWork:
    """Sees that workers do what a phase asks for; the rows are all that it goes by."""

    def __init__(
        self,
        engine: Engine,
        workforce: Workforce,
        watcher: Watcher,
        stop: threading.Event,
        patience: Patience,
        poll_seconds: float,
    ) -> None:
        self._engine = engine
        self._workforce = workforce
        self._watcher = watcher
        self._stop = stop
        self._patience = patience
        self._poll_seconds = poll_seconds
        self._looked_for_frozen = 0.0

    def do(
        self, context: Context, phase: str, lock: RunLock, plan: Plan, *, beside: bool = False
    ) -> None:
        """Plan, ring and wait; plan again until nothing lacks a row but what is quarantined.

        `beside`: work that the loop does not plan, so the iteration need not stand in the phase.
        Raises PhaseFailed, PhaseMoved, Stopped, RunLocked.
        """
        started = False
        while True:
            if self._plan_if_idle(context, phase, plan, beside=beside) == 0:
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

    def _plan_if_idle(self, context: Context, phase: str, plan: Plan, *, beside: bool) -> int:
        """Items left to wait for: those standing open (a driver died), or newly planned ones."""
        with transaction(self._engine) as session:
            if not beside:
                hold(session, context.iteration_id, phase)
            standing = open_items(session, context.iteration_id, phase)
            if standing:
                return standing
            planned = plan(session, context)
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


def hold(session: Session, iteration_id: int, phase: str) -> None:
    """Lock the iteration's row for this transaction: planning and settling happen once.

    The advisory lock keeps a second driver away, but it dies with a connection, and its holder may
    not have noticed yet. Raises PhaseMoved where the iteration does not stand in `phase` any more.
    """
    stands = session.scalar(
        select(Iteration.phase)
        .where(Iteration.id == iteration_id)
        .with_for_update(key_share=True)  # rows may go on referring to it
    )
    if stands != phase:
        raise PhaseMoved
