"""Label and answer: an instruction, its picture, and what a model says to it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.ledger import FailedRecord
from comd_platform.loop.context import answered
from comd_platform.tables import Answer, Image, Instruction
from comd_workers.engines.base import Completion
from comd_workers.engines.cache import EngineCache
from comd_workers.perform.asking import ask
from comd_workers.perform.handler import Handler
from comd_workers.perform.job import (
    IMAGE_COLUMNS,
    Job,
    earlier_attempts,
    failed,
    image_path,
    storable,
)
from comd_workers.perform.meter import spent
from comd_workers.perform.outcomes import record_outcomes


@dataclass(frozen=True, slots=True)
class Asked:
    """An instruction to be answered; `attempt` counts from 1."""

    instruction_id: int
    key: str
    text: str
    image: str | None
    attempt: int


class Answering(Handler[list[Asked], list[Completion]]):
    """The same for teacher and student; a teacher's empty answer teaches nothing and is a failure."""

    def read(self, session: Session, job: Job) -> list[Asked]:
        attempts = earlier_attempts(session, job.claim)
        rows = session.execute(
            select(Instruction.id, Instruction.key, Instruction.text, *IMAGE_COLUMNS)
            .outerjoin(Image, Image.id == Instruction.image_id)
            .where(among(Instruction.id, job.claim.subject_ids), ~answered(job.voice.model_id))
        )
        return [
            Asked(
                row.id,
                row.key,
                row.text,
                image_path(row.state, row.path),
                attempts.get(row.id, 0) + 1,
            )
            for row in rows
        ]

    def compute(self, job: Job, inputs: list[Asked], engines: EngineCache) -> list[Completion]:
        requests = [
            job.request(
                str(asked.instruction_id),
                job.voice.prompt.render(instruction=asked.text),
                asked.image,
                (asked.key, asked.attempt),
            )
            for asked in inputs
        ]
        return list(ask(job, engines, requests))

    def write(self, session: Session, job: Job, outputs: list[Completion]) -> None:
        said = [completion for completion in outputs if self.usable(job, completion)]
        if said:
            session.execute(
                insert(Answer).on_conflict_do_nothing(
                    index_elements=["instruction_id", "model_id"]
                ),
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
