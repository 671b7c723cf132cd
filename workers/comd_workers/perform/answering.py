"""Label and answer: an instruction, its picture, and what a model says to it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from comd_platform.db.insert import insert_new
from comd_platform.ledger import FailedRecord
from comd_platform.loop.context import answered
from comd_platform.tables import Answer
from comd_workers.engines.base import Completion
from comd_workers.engines.cache import Engines
from comd_workers.perform.asked import Asked, request_for, to_ask
from comd_workers.perform.asking import ask
from comd_workers.perform.handler import Handler
from comd_workers.perform.job import Job, failed, storable
from comd_workers.perform.meter import spent
from comd_workers.perform.outcomes import record_outcomes


class Answering(Handler[list[Asked], list[Completion]]):
    """The same for teacher and student; a teacher's empty answer teaches nothing and is a failure."""

    def read(self, session: Session, job: Job) -> list[Asked]:
        return to_ask(session, job, ~answered(job.voice.model_id))

    def compute(self, job: Job, inputs: list[Asked], engines: Engines) -> list[Completion]:
        return list(ask(job, engines, [request_for(job, asked) for asked in inputs]))

    def write(self, session: Session, job: Job, outputs: list[Completion]) -> None:
        said = [completion for completion in outputs if self.usable(job, completion)]
        insert_new(
            session,
            Answer,
            [
                {
                    "instruction_id": int(completion.key),
                    "model_id": job.voice.model_id,
                    "text": storable(completion.text),
                    "finish_reason": completion.finish_reason,
                    **spent(completion),
                }
                for completion in said
            ],
        )
        record_outcomes(
            session,
            job,
            done=[int(completion.key) for completion in said],
            failed=[self._failed(each) for each in outputs if not self.usable(job, each)],
        )

    def usable(self, job: Job, completion: Completion) -> bool:
        """Whether it becomes an answer."""
        if completion.finish_reason not in {"stop", "length"}:
            return False
        return bool(completion.text.strip()) or job.claim.phase != "label"

    def _failed(self, completion: Completion) -> FailedRecord:
        if completion.finish_reason in {"stop", "length"}:
            return FailedRecord(int(completion.key), "empty answer", "the teacher said nothing")
        return failed(int(completion.key), completion)
