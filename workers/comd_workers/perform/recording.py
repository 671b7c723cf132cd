"""A training's metrics as rows while it runs: kept while the database is away, written later."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from comd_platform.db.engine import transaction
from comd_platform.db.outage import Patience, is_outage
from comd_platform.ledger import Claim, got_on
from comd_platform.tables import TrainingMetric, TrainingRun
from comd_training.metrics import Metric

log = logging.getLogger(__name__)

WRITE_EVERY_SECONDS = 1.0


class Recorder:
    """Takes metrics at any pace and writes them together; the training never waits for a database."""

    def __init__(self, database: Database, claim: Claim, training_run_id: int) -> None:
        self._database = database
        self._claim = claim
        self._training_run_id = training_run_id
        self._kept: dict[int, Metric] = {}
        self._saved: int | None = None
        self._next = 0.0

    def metric(self, metric: Metric) -> None:
        """One step; a step that is told again (after a resumption) replaces the earlier row."""
        self._kept[metric.step] = metric
        self.tend()

    def saved(self, step: int) -> None:
        """The training can be resumed after `step`: it gets on, however often it was killed."""
        self._saved = step
        self._next = 0.0
        self.tend()

    def tend(self) -> None:
        """Write what is kept, if it is time and the database is there."""
        if time.monotonic() < self._next or (not self._kept and self._saved is None):
            return
        self._next = time.monotonic() + WRITE_EVERY_SECONDS
        try:
            self._write()
        except DBAPIError as error:
            if not is_outage(error):
                raise
            log.warning(
                "the database is away; %d metrics are kept until it is back", len(self._kept)
            )

    def close(self, patience: Patience) -> None:
        """Write the rest. Raises DatabaseGone where the database stays away."""
        if self._kept or self._saved is not None:
            patience.outlast(self._write)

    def _write(self) -> None:
        with transaction(self._database) as session:
            if self._kept:
                _upsert(session, [self._row(each) for each in self._kept.values()])
            if self._saved is not None:
                session.execute(
                    update(TrainingRun)
                    .where(TrainingRun.id == self._training_run_id)
                    .values(saved_step=self._saved)
                )
                got_on(session, self._claim)
        self._kept.clear()
        self._saved = None

    def _row(self, metric: Metric) -> dict[str, Any]:
        return {
            "training_run_id": self._training_run_id,
            "step": metric.step,
            "loss": metric.loss,
            "learning_rate": metric.learning_rate,
            "grad_norm": metric.grad_norm,
            "tokens": metric.tokens,
            "seconds": metric.seconds,
            "extra": metric.extra,
        }


def _upsert(session: Session, rows: list[dict[str, Any]]) -> None:
    key = ("training_run_id", "step")
    statement = insert(TrainingMetric)
    replaced = {name: statement.excluded[name] for name in rows[0] if name not in key}
    session.execute(statement.on_conflict_do_update(index_elements=key, set_=replaced), rows)
