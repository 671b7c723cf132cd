"""What every phase writes besides its results: who is well again, and who failed once more."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from comd_platform.ledger import FailedRecord, record_failures, resolve_failures
from comd_workers.perform.job import Job


def record_outcomes(
    session: Session, job: Job, *, done: Iterable[int], failed: Iterable[FailedRecord]
) -> None:
    """Failures of subjects that are `done` are resolved; those of `failed` count one more."""
    resolve_failures(session, job.claim, done)
    record_failures(session, job.claim, failed, record_attempts=job.config.ledger.record_attempts)
