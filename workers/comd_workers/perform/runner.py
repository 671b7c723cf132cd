"""Claim, read, compute, write: one work item from bell to done-mark."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy.exc import InterfaceError, OperationalError

from comd_platform.db.engine import transaction
from comd_platform.ledger import Claim, LeaseLost, claim, complete, fail, release
from comd_platform.loop.context import Context
from comd_platform.settings import Settings
from comd_training.failures import TrainingFailed
from comd_workers.engines.base import EngineError
from comd_workers.engines.cache import EngineCache
from comd_workers.perform.answering import Answering
from comd_workers.perform.asking import record_usage
from comd_workers.perform.augmenting import Augmenting
from comd_workers.perform.evaluating import Evaluating
from comd_workers.perform.handler import Handler
from comd_workers.perform.heartbeat import Heartbeat
from comd_workers.perform.job import Job, load_job, storable
from comd_workers.perform.judging import Judging
from comd_workers.perform.tuning import Tuning, record_failure

log = logging.getLogger(__name__)


def handlers(database: Database) -> dict[str, Handler[Any, Any]]:
    """One handler a phase; another phase is a file beside these and a line here."""
    return {
        "label": Answering(),
        "answer": Answering(),
        "judge": Judging(),
        "augment": Augmenting(),
        "evaluate": Evaluating(),
        "tune": Tuning(database),
    }


class Performer:
    """One worker's hands: a database, a cache of loaded engines, a heartbeat."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        engines: EngineCache,
        heartbeat: Heartbeat,
        worker_id: int,
    ) -> None:
        self._database = database
        self._settings = settings
        self._engines = engines
        self._heartbeat = heartbeat
        self._worker_id = worker_id
        self._handlers = handlers(database)

    def perform(self, item_id: int) -> bool:
        """Do one work item; False when it was not to be had. Failures become rows, not exceptions."""
        with transaction(self._database) as session:
            held = claim(session, item_id, self._worker_id)
        if held is None:
            return False
        try:
            self._do(held)
        except LeaseLost as error:
            log.warning("%s; what was computed is dropped", error)
        except (KeyboardInterrupt, SystemExit):
            with transaction(self._database) as session:
                release(session, held)
            raise
        finally:
            self._heartbeat.released()
        return True

    def _do(self, held: Claim) -> None:
        try:
            with transaction(self._database) as session:
                job = load_job(session, held, self._settings)
            self._heartbeat.holding(held, job.config.ledger.lease_seconds)
            self._work(job)
        except (LeaseLost, OperationalError, InterfaceError):
            # The item is somebody else's, or the database is away: the lease decides who goes on.
            raise
        except EngineError as error:
            self._engines.close()  # what is loaded may be broken
            self._failed(held, error, fatal=True)
        except TrainingFailed as error:
            # Another process still trains the same thing, or was told to stop: not the item's fault.
            self._failed(held, error, fatal=error.kind not in {"busy", "killed", "stopped"})
        except Exception as error:
            log.exception("work item %s (%s) failed", held.item_id, held.phase)
            self._failed(held, error, fatal=False)

    def _work(self, job: Job) -> None:
        handler = self._handlers[job.claim.phase]
        with transaction(self._database) as session:
            inputs = handler.read(session, job)
        outputs = handler.compute(job, inputs, self._engines)
        with transaction(self._database) as session:
            # First the token: a stale worker must not even try to write.
            complete(session, job.claim)
            handler.write(session, job, outputs)
            record_usage(session, job)

    def _failed(self, held: Claim, error: Exception, *, fatal: bool) -> None:
        message = f"{type(error).__name__}: {error}"
        hint = getattr(error, "hint", None)
        if hint and hint not in message:
            message += f" ({hint})"
        message = storable(message)
        log.error("work item %s (%s): %s", held.item_id, held.phase, message)
        with transaction(self._database) as session:
            attempts = Context.load(session, held.iteration_id).config.ledger.item_attempts
            fail(session, held, message, item_attempts=attempts, fatal=fatal)
            if held.phase == "tune":
                record_failure(session, held.iteration_id, message)
