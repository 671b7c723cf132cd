"""Asking a job's model, and keeping count of what that takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.tables import Usage
from comd_workers.engines.base import Completion, Request
from comd_workers.engines.cache import Engines
from comd_workers.perform.job import Job


def ask(job: Job, engines: Engines, requests: Sequence[Request]) -> Iterator[Completion]:
    """The job's speaker answers, one completion a request as they finish; refusals count too.

    Raises EngineError when nothing can be asked of it at all.
    """
    for completion in engines.get(job.voice.engine).generate(requests, job.voice.sampling):
        job.meter.count(completion)
        yield completion


def record_usage(session: Session, job: Job) -> None:
    """The work item's row of `usage`; none where nothing was asked."""
    meter = job.meter
    if meter.requests:
        session.execute(
            insert(Usage).values(
                work_item_id=job.claim.item_id,
                requests=meter.requests,
                prompt_tokens=meter.prompt_tokens,
                completion_tokens=meter.completion_tokens,
                cached_tokens=meter.cached_tokens,
                cost=meter.cost,
            )
        )
