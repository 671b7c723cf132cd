"""Judge: both answers under the assessor, in both orders, until the reply can be read (eq. 5)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from comd_platform.db.arrays import among
from comd_platform.db.insert import insert_new
from comd_platform.ledger import FailedRecord
from comd_platform.method.difficulty import clamp_score
from comd_platform.method.judging import parse_scores
from comd_platform.tables import Answer, Image, Instruction, Judgement
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

POSITIONS = ("teacher_first", "student_first")


@dataclass(frozen=True, slots=True)
class Pair:
    """An instruction, or a benchmark's item, with both answers: the teacher's (or the reference) and
    the student's (or the candidate's). `failures` is how often judging it has failed before."""

    instruction_id: int
    key: str
    text: str
    image: str | None
    teacher_answer_id: int
    teacher_answer: str
    student_answer_id: int
    student_answer: str
    failures: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What the assessor wrote of a pair in one order, at one attempt, and the scores in it."""

    pair: Pair
    position: str
    attempt: int
    said: Completion
    scores: tuple[float, float] | None  # (teacher, student), in 1 to 10
    clamped: bool


@dataclass(frozen=True, slots=True)
class Judged:
    replies: list[Reply]
    failed: list[FailedRecord]


class Judging(Handler[list[Pair], Judged]):
    def read(self, session: Session, job: Job) -> list[Pair]:
        teacher, student = aliased(Answer), aliased(Answer)
        failures = earlier_attempts(session, job.claim)
        rows = session.execute(
            select(
                Instruction.id,
                Instruction.key,
                Instruction.text,
                *IMAGE_COLUMNS,
                teacher.id.label("teacher_id"),
                teacher.text.label("teacher_text"),
                student.id.label("student_id"),
                student.text.label("student_text"),
            )
            .join(teacher, teacher.instruction_id == Instruction.id)
            .join(student, student.instruction_id == Instruction.id)
            .outerjoin(Image, Image.id == Instruction.image_id)
            .where(
                among(Instruction.id, job.claim.subject_ids),
                teacher.model_id == job.context.teacher_model_id,
                student.model_id == job.context.student,
            )
        )
        return [
            Pair(
                row.id,
                row.key,
                row.text,
                image_path(row.state, row.path),
                row.teacher_id,
                row.teacher_text,
                row.student_id,
                row.student_text,
                failures.get(row.id, 0),
            )
            for row in rows
        ]

    def compute(self, job: Job, inputs: list[Pair], engines: Engines) -> Judged:
        replies: list[Reply] = []
        broken: dict[int, FailedRecord] = {}
        open_asks = [(pair, position) for pair in inputs for position in POSITIONS]
        for attempt in range(1, job.config.method.judge_attempts + 1):
            asks = {
                f"{pair.instruction_id}/{position}": (pair, position)
                for pair, position in open_asks
                if pair.instruction_id not in broken
            }
            requests = [
                _request(job, key, pair, position, attempt)
                for key, (pair, position) in asks.items()
            ]
            open_asks = []
            for completion in ask(job, engines, requests):
                pair, position = asks[completion.key]
                if completion.finish_reason not in {"stop", "length"}:
                    broken[pair.instruction_id] = failed(pair.instruction_id, completion)
                    continue
                reply = _read(pair, position, attempt, completion)
                replies.append(reply)
                if reply.scores is None:
                    open_asks.append((pair, position))
            if not open_asks:
                break
        whole = [reply for reply in replies if reply.pair.instruction_id not in broken]
        return Judged(whole, list(broken.values()))

    def write(self, session: Session, job: Job, outputs: Judged) -> None:
        insert_new(session, Judgement, [_row(job, reply) for reply in outputs.replies])
        done = {reply.pair.instruction_id for reply in outputs.replies}
        record_outcomes(session, job, done=done, failed=outputs.failed)


def _request(job: Job, key: str, pair: Pair, position: str, attempt: int) -> Request:
    answers = (pair.teacher_answer, pair.student_answer)
    first, second = answers if position == "teacher_first" else reversed(answers)
    text = job.voice.prompt.render(instruction=pair.text, first=first, second=second)
    seed_parts = (pair.key, position, pair.failures, attempt)
    return job.request(key, text, pair.image, seed_parts)


def _read(pair: Pair, position: str, attempt: int, said: Completion) -> Reply:
    scores = parse_scores(said.text)
    if scores is None:
        return Reply(pair, position, attempt, said, None, clamped=False)
    (first, first_moved), (second, second_moved) = clamp_score(scores[0]), clamp_score(scores[1])
    ordered = (first, second) if position == "teacher_first" else (second, first)
    return Reply(pair, position, attempt, said, ordered, clamped=first_moved or second_moved)


def _row(job: Job, reply: Reply) -> dict[str, object]:
    status = "unreadable" if reply.scores is None else "clamped" if reply.clamped else "read"
    return {
        "teacher_answer_id": reply.pair.teacher_answer_id,
        "student_answer_id": reply.pair.student_answer_id,
        "assessor_id": job.voice.model_id,
        "position": reply.position,
        "attempt": reply.attempt,
        "raw": storable(reply.said.text),
        "teacher_score": reply.scores[0] if reply.scores else None,
        "student_score": reply.scores[1] if reply.scores else None,
        "status": status,
        **spent(reply.said),
    }
