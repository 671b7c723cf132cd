"""Augment: one new instruction after each source, written while looking at its picture."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.db.insert import insert_new
from comd_platform.ledger import FailedRecord
from comd_platform.method.augmenting import Parsed, parse_instruction
from comd_platform.tables import Augmentation, Image, Instruction, Selection
from comd_workers.engines.base import Completion, Request
from comd_workers.engines.cache import Engines
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
class Source:
    """A chosen instruction; `failures` is how often augmenting it has failed before."""

    instruction_id: int
    key: str
    text: str
    task_type: str
    band: str
    image: str | None
    failures: int


@dataclass(frozen=True, slots=True)
class Written:
    """What the augmentor wrote after a source, and the instruction in it, if there is one."""

    source: Source
    attempt: int
    said: Completion
    parsed: Parsed


@dataclass(frozen=True, slots=True)
class Augmented:
    written: list[Written]
    failed: list[FailedRecord]


class Augmenting(Handler[list[Source], Augmented]):
    def read(self, session: Session, job: Job) -> list[Source]:
        failures = earlier_attempts(session, job.claim)
        rows = session.execute(
            select(
                Instruction.id,
                Instruction.key,
                Instruction.text,
                Instruction.task_type,
                Selection.band,
                *IMAGE_COLUMNS,
            )
            .join(Selection, Selection.instruction_id == Instruction.id)
            .outerjoin(Image, Image.id == Instruction.image_id)
            .where(
                Selection.pool_id == job.context.pool_id,
                among(Instruction.id, job.claim.subject_ids),
            )
        )
        return [
            Source(
                row.id,
                row.key,
                row.text,
                row.task_type,
                row.band,
                image_path(row.state, row.path),
                failures.get(row.id, 0),
            )
            for row in rows
        ]

    def compute(self, job: Job, inputs: list[Source], engines: Engines) -> Augmented:
        written: list[Written] = []
        broken: list[FailedRecord] = []
        left = inputs
        for attempt in range(1, job.config.method.augment_attempts + 1):
            asks = {str(source.instruction_id): source for source in left}
            requests = [_request(job, source, attempt) for source in left]
            left = []
            for completion in ask(job, engines, requests):
                source = asks[completion.key]
                if completion.finish_reason not in {"stop", "length"}:
                    broken.append(failed(source.instruction_id, completion))
                    continue
                parsed = parse_instruction(completion.text, source.text)
                written.append(Written(source, attempt, completion, parsed))
                if parsed.text is None:
                    left.append(source)
            if not left:
                break
        unusable = {record.subject_id for record in broken}
        whole = [each for each in written if each.source.instruction_id not in unusable]
        return Augmented(whole, broken)

    def write(self, session: Session, job: Job, outputs: Augmented) -> None:
        insert_new(session, Augmentation, [_row(job, written) for written in outputs.written])
        done = {written.source.instruction_id for written in outputs.written}
        record_outcomes(session, job, done=done, failed=outputs.failed)


def _request(job: Job, source: Source, attempt: int) -> Request:
    text = job.voice.prompt.render(instruction=source.text, task_type=source.task_type)
    seed_parts = (source.key, source.failures, attempt)
    return job.request(str(source.instruction_id), text, source.image, seed_parts)


def _row(job: Job, written: Written) -> dict[str, object]:
    text = written.parsed.text
    return {
        "pool_id": job.context.pool_id,
        "source_instruction_id": written.source.instruction_id,
        "augmentor_id": job.voice.model_id,
        "band": written.source.band,
        "attempt": written.attempt,
        "raw": storable(written.said.text),
        "text": storable(text) if text is not None else None,
        "status": "rejected" if text is None else "generated",
        "reason": written.parsed.reason,
        **spent(written.said),
    }
