"""What a model is asked about an instruction, and what it has answered before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.tables import Answer, Image, Instruction
from comd_workers.engines.base import Request
from comd_workers.perform.job import IMAGE_COLUMNS, Job, earlier_attempts, image_path


@dataclass(frozen=True, slots=True)
class Asked:
    """An instruction to be answered; `attempt` counts from 1."""

    instruction_id: int
    key: str
    text: str
    image: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Said:
    """An instruction with the answer that the job's speaker gave to it, as it is or will be stored."""

    asked: Asked
    answer: str


def to_ask(session: Session, job: Job, condition: ColumnElement[bool]) -> list[Asked]:
    """The job's instructions for which `condition` holds."""
    attempts = earlier_attempts(session, job.claim)
    return [_asked(row, attempts) for row in session.execute(_instructions(job).where(condition))]


def said_before(session: Session, job: Job, condition: ColumnElement[bool]) -> list[Said]:
    """Those that the job's speaker has answered, for whose answers `condition` holds."""
    attempts = earlier_attempts(session, job.claim)
    rows = session.execute(
        _instructions(job)
        .add_columns(Answer.text.label("answer"))
        .join(Answer, Answer.instruction_id == Instruction.id)
        .where(Answer.model_id == job.voice.model_id, condition)
    )
    return [Said(_asked(row, attempts), row.answer) for row in rows]


def request_for(job: Job, asked: Asked) -> Request:
    """The instruction as the job's speaker is asked it."""
    prompt = job.voice.prompt.render(instruction=asked.text)
    parts = (asked.key, asked.attempt)
    return job.request(str(asked.instruction_id), prompt, asked.image, parts)


def _instructions(job: Job) -> Select[int, str, str, str, str | None]:
    return (
        select(Instruction.id, Instruction.key, Instruction.text, *IMAGE_COLUMNS)
        .outerjoin(Image, Image.id == Instruction.image_id)
        .where(among(Instruction.id, job.claim.subject_ids))
    )


def _asked(row: Any, attempts: dict[int, int]) -> Asked:
    attempt = attempts.get(row.id, 0) + 1
    return Asked(row.id, row.key, row.text, image_path(row.state, row.path), attempt)
