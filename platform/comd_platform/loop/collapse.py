"""The guard: a pool that would be too small is reported, with what tells why, and not trained on."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from comd_platform.method.collapse import Evidence, explain
from comd_platform.reports.evaluations import run_scores
from comd_platform.reports.training import trainings
from comd_platform.runs import RunError
from comd_platform.tables import Assessment, Iteration


class StudentCaughtUp(RunError):
    """Too little is difficult for another pool: the student has caught up, or memorised."""


def verdict(session: Session, iteration: Iteration) -> str:
    """Which of the two it looks like, in a sentence."""
    return explain(
        Evidence(
            _on_pool(session, iteration),
            _held_out(session, iteration),
            *_training(session, iteration),
        )
    )


def _on_pool(session: Session, iteration: Iteration) -> float | None:
    student, teacher = session.execute(
        select(func.avg(Assessment.student_score), func.avg(Assessment.teacher_score)).where(
            Assessment.iteration_id == iteration.id
        )
    ).one()
    return student / teacher if teacher else None


def _held_out(session: Session, iteration: Iteration) -> float | None:
    """The lowest share of the teacher's score that the student has on any benchmark."""
    scores = run_scores(session, iteration.run_id)
    teacher = {row.benchmark: row.score for row in scores if row.who == "teacher"}
    ratios = [
        row.score / teacher[row.benchmark]
        for row in scores
        if row.iteration == iteration.number and row.who == "student" and teacher.get(row.benchmark)
    ]
    return min(ratios, default=None)


def _training(session: Session, iteration: Iteration) -> tuple[float | None, float | None]:
    """(passes over the tuning set, last loss) of the iteration's tuning."""
    rows = trainings(session, iteration.run_id)
    found = next((row for row in rows if row.iteration == iteration.number), None)
    if found is None or not found.steps or not found.dialogues:
        return None, None
    batch = iteration.config["training"]["batch_size"]
    return found.steps * batch / found.dialogues, found.last_loss
