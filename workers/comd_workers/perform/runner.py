"""Claim, read, compute, write: one work item from bell to done-mark."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Engine as Database
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from comd_platform.db.engine import transaction
from comd_platform.db.outage import DatabaseGone, Patience
from comd_platform.faults import fault_point
from comd_platform.images.names import Folder
from comd_platform.ledger import (
    Claim,
    LeaseLost,
    claim,
    claim_like,
    complete,
    fail,
    fatal_error,
    lose,
    release,
)
from comd_platform.loop.context import Context
from comd_platform.settings import Settings
from comd_training.failures import TrainingFailed
from comd_workers.drain import Drain, PutBack
from comd_workers.engines.base import EngineError
from comd_workers.engines.cache import EngineCache, Engines
from comd_workers.perform.asking import record_usage
from comd_workers.perform.augmenting import Augmenting
from comd_workers.perform.companions import Companions
from comd_workers.perform.evaluating import Evaluating
from comd_workers.perform.handler import Handler
from comd_workers.perform.heartbeat import Heartbeat
from comd_workers.perform.job import Job, load_job, storable
from comd_workers.perform.judging import Judging
from comd_workers.perform.labelling import Labelling
from comd_workers.perform.reviewing import Reviewing
from comd_workers.perform.tuning import Tuning, record_end
from comd_workers.perform.weighing import StudentAnswering

log = logging.getLogger(__name__)

T = TypeVar("T")

_FROM_OUTSIDE = {"killed", "hung"}
"""How a training ends that is not its own fault: tried again, as after the death of a worker."""


def handlers(
    database: Database, patience: Patience, heartbeat: Heartbeat, drain: Drain
) -> dict[str, Handler[Any, Any]]:
    """One handler a phase; another phase is a file beside these and a line here."""
    return {
        "label": Labelling(),
        "answer": StudentAnswering(),
        "judge": Judging(),
        "augment": Augmenting(),
        "evaluate": Evaluating(),
        "tune": Tuning(database, patience, heartbeat, drain),
        "evaluate by assessor": Reviewing(),
    }


@contextmanager
def performing(
    database: Database,
    settings: Settings,
    engines: EngineCache,
    heartbeat: Heartbeat,
    worker_id: int,
    *,
    drain: Drain | None = None,
    patience: Patience | None = None,
) -> Iterator[Performer]:
    """A worker's own hands, and companions beside them, who end with what is left of the drain's
    grace."""
    drain = drain or Drain()
    hands = partial(
        Performer,
        database,
        settings,
        heartbeat=heartbeat,
        worker_id=worker_id,
        drain=drain,
        patience=patience or Patience(stop=drain.asked),
    )
    with Companions(
        engines, lambda lent: hands(engines=lent, guest=True).perform_like
    ) as companions:
        yield hands(engines=engines, companions=companions)
        companions.end(drain.left())


class Performer:
    """One worker's hands: a database, a cache of loaded engines, a heartbeat.

    `drain`: whether the worker was asked to leave; `patience`: with a database that went away.
    `companions`: the threads that do further items beside these; `guest`: these are such a thread's. A
    guest leaves it to the main thread to find that an engine is broken, and is stopped by its closing.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        engines: Engines,
        heartbeat: Heartbeat,
        worker_id: int,
        *,
        drain: Drain,
        patience: Patience,
        companions: Companions | None = None,
        guest: bool = False,
    ) -> None:
        self._database = database
        self._settings = settings
        self._engines = engines
        self._heartbeat = heartbeat
        self._worker_id = worker_id
        self._companions = companions
        self._guest = guest
        self._drain = drain
        self._patience = patience
        self._pictures = Folder(settings.image_root)
        self._handlers = handlers(database, self._patience, heartbeat, self._drain)

    def perform(self, item_id: int) -> bool:
        """Do one work item; False when it was not to be had, or was put back. Failures become rows,
        not exceptions."""
        return self._perform(lambda session: claim(session, item_id, self._worker_id))

    def perform_like(self, held: Claim) -> bool:
        """The same with any pending item that is for the same model in the same phase."""
        return self._perform(lambda session: claim_like(session, held, self._worker_id))

    def _perform(self, take: Callable[[Session], Claim | None]) -> bool:
        if self._drain.asked.is_set():
            return False
        try:
            held = self._in_transaction(take)
        except DatabaseGone as error:
            log.error("no work item was claimed: %s", error)
            return False
        if held is None:
            return False
        try:
            self._do(held)
        except LeaseLost as error:
            log.warning("%s; what was computed is dropped", error)
        except DatabaseGone as error:
            log.error("work item %s is left to its lease: %s", held.item_id, error)
        except PutBack:
            self._put_back(held)
            return False
        except (KeyboardInterrupt, SystemExit):
            self._put_back(held)
            raise
        finally:
            self._heartbeat.released(held)
        return True

    def _in_transaction(self, work: Callable[[Session], T]) -> T:
        """`work` in a transaction of its own, done again after an outage."""

        def once() -> T:
            with transaction(self._database) as session:
                return work(session)

        return self._patience.outlast(once)

    def _do(self, held: Claim) -> None:
        try:
            job = self._in_transaction(lambda session: self._load(session, held))
            if job is None:
                raise PutBack
            self._heartbeat.holding(held, job.config.ledger.lease_seconds)
            self._work(job)
        except (LeaseLost, DatabaseGone):
            # The item is somebody else's, or the database is away: the lease decides who goes on.
            raise
        except EngineError as error:
            self._lent(held).close()  # what is loaded may be broken
            if self._guest:
                raise PutBack from error
            self._failed(held, error, fatal=True)
        except TrainingFailed as error:
            if error.kind == "busy":
                # Elsewhere, for the same item: whoever holds the lease goes on. Or for a twin, a
                # branch that trains the very same: its result is taken when it is there.
                raise PutBack from error
            if error.kind == "stopped":
                self._in_transaction(
                    lambda session: record_end(session, held.iteration_id, None, None)
                )
                raise PutBack from error
            self._failed(held, error, fatal=error.kind not in _FROM_OUTSIDE)
        except Exception as error:
            log.exception("work item %s (%s) failed", held.item_id, held.phase)
            self._failed(held, error, fatal=False)

    def _load(self, session: Session, held: Claim) -> Job | None:
        """None where the phase has ended: a wrong key need not be refused again."""
        if fatal_error(session, held.iteration_id, held.phase):
            return None
        return load_job(session, held, self._settings, self._pictures)

    def _work(self, job: Job) -> None:
        reviewed = job.claim.phase == "evaluate" and job.claim.role == "assessor"
        handler = self._handlers["evaluate by assessor" if reviewed else job.claim.phase]
        inputs = self._in_transaction(lambda session: handler.read(session, job))
        fault_point("worker.claimed")
        itself = handler.stops_itself or self._guest
        with nullcontext() if itself else self._drain.interruptible():
            outputs = handler.compute(job, inputs, self._lent(job.claim))
        fault_point("worker.computed")

        def write(session: Session) -> None:
            # First the token: a stale worker must not even try to write.
            complete(session, job.claim)
            handler.write(session, job, outputs)
            record_usage(session, job)
            fault_point("worker.writing")

        self._in_transaction(write)
        fault_point("worker.written")

    def _lent(self, held: Claim) -> Engines:
        """The engines as one of these items may use them."""
        return self._engines if self._companions is None else self._companions.host(held)

    def _put_back(self, held: Claim) -> None:
        """Open the item again at once; with the database away its lease has to run out."""
        try:
            with transaction(self._database) as session:
                release(session, held)
        except DBAPIError as error:
            log.warning("work item %s is left to its lease: %s", held.item_id, error)
        else:
            log.warning("work item %s (%s) was put back", held.item_id, held.phase)

    def _failed(self, held: Claim, error: Exception, *, fatal: bool) -> None:
        message = f"{type(error).__name__}: {error}"
        hint = getattr(error, "hint", None)
        if hint and hint not in message:
            message += f" ({hint})"
        message = storable(message)
        log.error("work item %s (%s): %s", held.item_id, held.phase, message)

        def write(session: Session) -> None:
            attempts = Context.load(session, held.iteration_id).config.ledger.item_attempts
            kind = error.kind if isinstance(error, TrainingFailed) else "crashed"
            if kind in _FROM_OUTSIDE:
                lose(session, held, message, item_attempts=attempts)
            else:
                fail(session, held, message, item_attempts=attempts, fatal=fatal)
            if held.phase == "tune":
                record_end(session, held.iteration_id, message, kind)

        self._in_transaction(write)
