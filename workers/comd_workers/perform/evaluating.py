"""Evaluate: held-out questions, answered and scored."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.evaluation.scoring import score
from comd_platform.ledger import FailedRecord
from comd_platform.tables import Benchmark, EvaluationItem, EvaluationScore, Image
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
class Question:
    item_id: int
    key: str
    text: str
    answers: tuple[str, ...]
    metric: str
    image: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Scored:
    """What was said to an item, and what it is worth, 0 to 1."""

    item_id: int
    said: Completion
    score: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    scored: list[Scored]
    failed: list[FailedRecord]


class Evaluating(Handler[list[Question], Evaluated]):
    def read(self, session: Session, job: Job) -> list[Question]:
        attempts = earlier_attempts(session, job.claim)
        rows = session.execute(
            select(
                EvaluationItem.id,
                EvaluationItem.key,
                EvaluationItem.question,
                EvaluationItem.answers,
                Benchmark.metric,
                *IMAGE_COLUMNS,
            )
            .join(Benchmark, Benchmark.id == EvaluationItem.benchmark_id)
            .outerjoin(Image, Image.id == EvaluationItem.image_id)
            .where(among(EvaluationItem.id, job.claim.subject_ids))
        )
        return [
            Question(
                row.id,
                row.key,
                row.question,
                tuple(row.answers),
                row.metric,
                image_path(row.state, row.path),
                attempts.get(row.id, 0) + 1,
            )
            for row in rows
        ]

    def compute(self, job: Job, inputs: list[Question], engines: EngineCache) -> Evaluated:
        asks = {str(question.item_id): question for question in inputs}
        requests = [
            job.request(
                key,
                job.voice.prompt.render(instruction=question.text),
                question.image,
                (question.key, question.attempt),
            )
            for key, question in asks.items()
        ]
        scored: list[Scored] = []
        broken: list[FailedRecord] = []
        for said in ask(job, engines, requests):
            question = asks[said.key]
            if said.finish_reason in {"stop", "length"}:
                worth = score(question.metric, said.text, question.answers)
                scored.append(Scored(question.item_id, said, worth))
            else:
                broken.append(failed(question.item_id, said))
        return Evaluated(scored, broken)

    def write(self, session: Session, job: Job, outputs: Evaluated) -> None:
        if outputs.scored:
            session.execute(
                insert(EvaluationScore).on_conflict_do_nothing(),
                [
                    {
                        "evaluation_id": job.claim.evaluation_id,
                        "item_id": scored.item_id,
                        "text": storable(scored.said.text),
                        "score": scored.score,
                        **spent(scored.said),
                    }
                    for scored in outputs.scored
                ],
            )
        record_outcomes(
            session,
            job,
            done=[scored.item_id for scored in outputs.scored],
            failed=outputs.failed,
        )
