"""Answer, and weigh: what the student says, and how sure it was of it (measure `uncertainty`)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.ledger import FailedRecord
from comd_platform.tables import Answer
from comd_workers.engines.base import Completion, Score, ScoreRequest
from comd_workers.engines.cache import Engines
from comd_workers.perform.answering import Answering
from comd_workers.perform.asked import Asked, Said, request_for, said_before
from comd_workers.perform.handler import Handler
from comd_workers.perform.job import Job, storable
from comd_workers.perform.outcomes import record_outcomes


@dataclass(frozen=True, slots=True)
class Asks:
    """`unweighed` stays empty where the measure reads no log-probabilities."""

    unanswered: list[Asked]
    unweighed: list[Said]


@dataclass(frozen=True, slots=True)
class Answers:
    completions: list[Completion]
    weights: dict[int, float]
    failed: list[FailedRecord]


class StudentAnswering(Handler[Asks, Answers]):
    """The student's side of `Answering`; nothing is answered twice for the sake of weighing it."""

    def __init__(self) -> None:
        self._answering = Answering()

    def read(self, session: Session, job: Job) -> Asks:
        unanswered = self._answering.read(session, job)
        return Asks(
            unanswered,
            said_before(session, job, Answer.mean_logprob.is_(None)) if _weighs(job) else [],
        )

    def compute(self, job: Job, inputs: Asks, engines: Engines) -> Answers:
        completions = self._answering.compute(job, inputs.unanswered, engines)
        if not _weighs(job):
            return Answers(completions, {}, [])
        by_id = {asked.instruction_id: asked for asked in inputs.unanswered}
        fresh = [
            Said(by_id[int(each.key)], each.text)
            for each in completions
            if each.finish_reason in {"stop", "length"}
        ]
        requests = [
            ScoreRequest(request_for(job, said.asked), (said.answer,))
            for said in (*fresh, *inputs.unweighed)
        ]
        weights: dict[int, float] = {}
        failed: list[FailedRecord] = []
        for score in engines.get(job.voice.engine).score(requests):
            weight = _mean(score)
            if weight is None:
                detail = score.error or "an empty answer has no probability"
                failed.append(FailedRecord(int(score.key), "not weighed", storable(detail)))
            else:
                weights[int(score.key)] = weight
        return Answers(completions, weights, failed)

    def write(self, session: Session, job: Job, outputs: Answers) -> None:
        self._answering.write(session, job, outputs.completions)
        if outputs.weights:
            session.execute(
                update(Answer),
                [
                    {"id": answer_id, "mean_logprob": outputs.weights[instruction_id]}
                    for answer_id, instruction_id in _answer_ids(session, job, outputs.weights)
                ],
            )
        record_outcomes(session, job, done=outputs.weights, failed=outputs.failed)


def _weighs(job: Job) -> bool:
    return job.config.method.measure.needs == "logprobs"


def _mean(score: Score) -> float | None:
    """Nats a token, at most 0; None where there is nothing to weigh."""
    if score.error or not score.continuations or not score.continuations[0].tokens:
        return None
    [found] = score.continuations
    return min(0.0, found.logprob / found.tokens)


def _answer_ids(session: Session, job: Job, weights: dict[int, float]) -> list[tuple[int, int]]:
    rows = session.execute(
        select(Answer.id, Answer.instruction_id).where(
            among(Answer.instruction_id, weights), Answer.model_id == job.voice.model_id
        )
    )
    return [(row.id, row.instruction_id) for row in rows]
