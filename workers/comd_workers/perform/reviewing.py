"""Review: a benchmark's answers beside the reference, under the assessor, in both orders."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.db.insert import insert_new
from comd_platform.ledger import FailedRecord
from comd_platform.tables import EvaluationItem, EvaluationReview, EvaluationScore, Image
from comd_workers.perform.job import IMAGE_COLUMNS, Job, earlier_attempts, image_path, storable
from comd_workers.perform.judging import Judged, Judging, Pair, Reply
from comd_workers.perform.meter import spent
from comd_workers.perform.outcomes import record_outcomes

_POSITIONS = {"teacher_first": "reference_first", "student_first": "candidate_first"}


class Reviewing(Judging):
    """Judging with the reference answer in the teacher's place."""

    def read(self, session: Session, job: Job) -> list[Pair]:
        failures = earlier_attempts(session, job.claim)
        rows = session.execute(
            select(
                EvaluationItem.id,
                EvaluationItem.key,
                EvaluationItem.question,
                EvaluationItem.context,
                EvaluationItem.answers,
                EvaluationScore.text,
                *IMAGE_COLUMNS,
            )
            .join(EvaluationScore, EvaluationScore.item_id == EvaluationItem.id)
            .outerjoin(Image, Image.id == EvaluationItem.image_id)
            .where(
                among(EvaluationItem.id, job.claim.subject_ids),
                EvaluationScore.evaluation_id == job.claim.evaluation_id,
            )
        )
        return [
            Pair(
                instruction_id=row.id,
                key=row.key,
                text=_told(row.question, row.context),
                image=image_path(row.state, row.path),
                teacher_answer_id=row.id,
                teacher_answer=row.answers[0],
                student_answer_id=row.id,
                student_answer=row.text,
                failures=failures.get(row.id, 0),
            )
            for row in rows
        ]

    def write(self, session: Session, job: Job, outputs: Judged) -> None:
        insert_new(session, EvaluationReview, [_row(job, reply) for reply in outputs.replies])
        replies: dict[int, list[Reply]] = defaultdict(list)
        for reply in outputs.replies:
            replies[reply.pair.instruction_id].append(reply)
        failed = list(outputs.failed)
        done: list[int] = []
        for item_id, of_item in replies.items():
            scores = _mean_scores(of_item)
            if scores is None:
                said = storable(of_item[-1].said.text[:1000])
                failed.append(FailedRecord(item_id, "unreadable judge", said))
                continue
            done.append(item_id)
            session.execute(
                update(EvaluationScore)
                .where(
                    EvaluationScore.evaluation_id == job.claim.evaluation_id,
                    EvaluationScore.item_id == item_id,
                )
                .values(reference_score=scores[0] / 10, score=scores[1] / 10)
            )
        record_outcomes(session, job, done=done, failed=failed)


def _told(question: str, context: str | None) -> str:
    """The question; before it what the picture shows, for a judge that may not see it."""
    return question if not context else f"[Context]\n{context}\n\n[Question]\n{question}"


def _mean_scores(replies: list[Reply]) -> tuple[float, float] | None:
    """(reference, candidate), each the mean of the orders that could be read; None without any."""
    read = [reply.scores for reply in replies if reply.scores is not None]
    if not read:
        return None
    return sum(pair[0] for pair in read) / len(read), sum(pair[1] for pair in read) / len(read)


def _row(job: Job, reply: Reply) -> dict[str, object]:
    return {
        "evaluation_id": job.claim.evaluation_id,
        "item_id": reply.pair.instruction_id,
        "position": _POSITIONS[reply.position],
        # A pair that failed before is asked again under other seeds: those replies are kept too.
        "attempt": reply.attempt + reply.pair.failures * job.config.method.judge_attempts,
        "raw": storable(reply.said.text),
        "reference_score": reply.scores[0] if reply.scores else None,
        "candidate_score": reply.scores[1] if reply.scores else None,
        "status": "unreadable" if reply.scores is None else "clamped" if reply.clamped else "read",
        **spent(reply.said),
    }
