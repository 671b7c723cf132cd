"""Label, and what the teacher thought of its answers: its top logits, where an objective reads them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.ledger import FailedRecord
from comd_platform.loop.context import has_logits
from comd_platform.tables import Answer
from comd_platform.tables import AnswerLogits as AnswerLogitsRow
from comd_workers.engines.base import AnswerLogits, Completion, LogitsRequest
from comd_workers.engines.cache import Engines
from comd_workers.perform.answering import Answering
from comd_workers.perform.asked import Asked, Said, request_for, said_before
from comd_workers.perform.handler import Handler
from comd_workers.perform.job import Job, storable
from comd_workers.perform.outcomes import record_outcomes


@dataclass(frozen=True, slots=True)
class Asks:
    """`unexplained` (answered, without its logits) stays empty where no objective reads them."""

    unanswered: list[Asked]
    unexplained: list[Said]


@dataclass(frozen=True, slots=True)
class Labels:
    """`said`: the answers that the logits are of, by instruction."""

    completions: list[Completion]
    said: dict[int, str]
    logits: list[AnswerLogits]


class Labelling(Handler[Asks, Labels]):
    """The teacher's side of `Answering`; an answer and its logits are written in one transaction, and
    nothing is answered twice for the sake of its logits."""

    def __init__(self) -> None:
        self._answering = Answering()

    def read(self, session: Session, job: Job) -> Asks:
        unanswered = self._answering.read(session, job)
        top_k = _top_k(job)
        return Asks(
            unanswered,
            []
            if top_k is None
            else said_before(session, job, ~has_logits(job.voice.model_id, top_k)),
        )

    def compute(self, job: Job, inputs: Asks, engines: Engines) -> Labels:
        completions = self._answering.compute(job, inputs.unanswered, engines)
        top_k = _top_k(job)
        if top_k is None:
            return Labels(completions, {}, [])
        by_id = {asked.instruction_id: asked for asked in inputs.unanswered}
        fresh = [
            Said(by_id[int(each.key)], storable(each.text))
            for each in completions
            if self._answering.usable(job, each)
        ]
        said = [*fresh, *inputs.unexplained]
        requests = [LogitsRequest(request_for(job, each.asked), each.answer) for each in said]
        told = list(engines.get(job.voice.engine).logits(requests, top_k))
        return Labels(completions, {s.asked.instruction_id: s.answer for s in said}, told)

    def write(self, session: Session, job: Job, outputs: Labels) -> None:
        self._answering.write(session, job, outputs.completions)
        top_k = _top_k(job)
        if top_k is None:
            return
        told = {int(each.key): each for each in outputs.logits if each.logits is not None}
        rows = [
            {
                "answer_id": row.id,
                "top_k": top_k,
                "vocabulary": told[row.instruction_id].vocabulary,
                "tokens": len(found.chosen),
                "data": found.to_bytes(),
            }
            for row in _standing(session, job, told)
            # Another run's worker may have been first with another text: that one is planned again.
            if row.text == outputs.said[row.instruction_id]
            and (found := told[row.instruction_id].logits) is not None
        ]
        if rows:
            statement = insert(AnswerLogitsRow)
            columns = ("top_k", "vocabulary", "tokens", "data")
            wider = {name: statement.excluded[name] for name in columns}
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=["answer_id"],
                    set_=wider,
                    where=AnswerLogitsRow.top_k < statement.excluded.top_k,
                ),
                rows,
            )
        record_outcomes(
            session,
            job,
            done=told,
            failed=[
                FailedRecord(int(each.key), "no logits", storable(each.error or ""))
                for each in outputs.logits
                if each.logits is None
            ],
        )


def _top_k(job: Job) -> int | None:
    return job.config.training.objective.stored_top_k


def _standing(session: Session, job: Job, told: dict[int, AnswerLogits]) -> list[Answer]:
    return list(
        session.scalars(
            select(Answer).where(
                among(Answer.instruction_id, told), Answer.model_id == job.voice.model_id
            )
        )
    )
