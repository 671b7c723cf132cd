"""Evaluate: held-out questions, answered and scored."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.db.insert import insert_new
from comd_platform.evaluation.grading import LIKELIHOOD, Grade, grade, rank
from comd_platform.evaluation.letters import LETTERS
from comd_platform.ledger import FailedRecord
from comd_platform.tables import Benchmark, EvaluationItem, EvaluationScore, Image
from comd_workers.engines.base import EngineError, Request, ScoreRequest
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
class Question:
    item_id: int
    key: str
    text: str
    answers: tuple[str, ...]
    choices: tuple[str, ...] | None
    metric: str
    image: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Scored:
    """What was said to an item, and what it is worth; `spent` are the columns of what it took."""

    item_id: int
    text: str
    grade: Grade
    spent: dict[str, object]


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
                EvaluationItem.choices,
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
                tuple(row.choices) if row.choices is not None else None,
                row.metric,
                image_path(row.state, row.path),
                attempts.get(row.id, 0) + 1,
            )
            for row in rows
        ]

    def compute(self, job: Job, inputs: list[Question], engines: Engines) -> Evaluated:
        asks = {str(question.item_id): question for question in inputs}
        requests = [_request(job, key, question) for key, question in asks.items()]
        if inputs and inputs[0].metric == LIKELIHOOD:
            return _rank(job, engines, asks, requests)
        scored: list[Scored] = []
        broken: list[FailedRecord] = []
        for said in ask(job, engines, requests):
            question = asks[said.key]
            if said.finish_reason in {"stop", "length"}:
                worth = grade(question.metric, said.text, question.answers, question.choices)
                scored.append(Scored(question.item_id, said.text, worth, spent(said)))
            else:
                broken.append(failed(question.item_id, said))
        return Evaluated(scored, broken)

    def write(self, session: Session, job: Job, outputs: Evaluated) -> None:
        insert_new(
            session,
            EvaluationScore,
            [
                {
                    "evaluation_id": job.claim.evaluation_id,
                    "item_id": scored.item_id,
                    "text": storable(scored.text),
                    "score": scored.grade.score,
                    "choice": scored.grade.choice,
                    **scored.spent,
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


def _request(job: Job, key: str, question: Question) -> Request:
    text = job.voice.prompt.render(instruction=question.text)
    return job.request(key, text, question.image, (question.key, question.attempt))


def _rank(
    job: Job, engines: Engines, asks: dict[str, Question], requests: list[Request]
) -> Evaluated:
    """Ask how likely each choice is; the mean log-probabilities are kept as the item's text."""
    engine = engines.get(job.voice.engine)
    if not engine.can_score:
        raise EngineError(
            f"the {job.voice.engine.engine} engine cannot rank choices by likelihood",
            hint="Import the benchmark under another name with --metric choice.",
        )
    ranked = [ScoreRequest(request, asks[request.key].choices or ()) for request in requests]
    scored: list[Scored] = []
    broken: list[FailedRecord] = []
    for told in engine.score(ranked):
        question = asks[told.key]
        if told.error is not None:
            broken.append(FailedRecord(question.item_id, "engine error", storable(told.error)))
            continue
        means = [one.logprob / max(1, one.tokens) for one in told.continuations]
        text = ", ".join(
            f"{letter} {mean:.4f}" for letter, mean in zip(LETTERS, means, strict=False)
        )
        scored.append(Scored(question.item_id, text, rank(means, question.answers), {}))
    return Evaluated(scored, broken)
