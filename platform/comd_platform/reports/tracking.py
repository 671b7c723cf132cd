"""A run's numbers on one axis of optimizer steps, for trackers that know of steps only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.evaluations import run_scores
from comd_platform.reports.query import rows
from comd_platform.reports.summary import run_summary


@dataclass(frozen=True, slots=True)
class Point:
    """Named values at one step; steps count on over the iterations of a run."""

    step: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Step:
    step: int
    loss: float
    learning_rate: float
    grad_norm: float | None
    tokens: int


@dataclass(frozen=True, slots=True)
class _End:
    iteration: int
    step: int


# How many steps the trainings before each iteration's took.
_STEPS = """
WITH placed AS (
    SELECT
        training_run.id AS training_run_id,
        (sum(tuned.steps) OVER (ORDER BY iteration) - tuned.steps)::bigint AS before
    FROM run_iteration
    JOIN training_run USING (iteration_id)
    CROSS JOIN LATERAL (
        SELECT max(step) AS steps FROM training_metric WHERE training_run_id = training_run.id
    ) AS tuned
    WHERE run_iteration.run_id = :run_id AND tuned.steps IS NOT NULL
)
SELECT before + step AS step, loss, learning_rate, grad_norm, tokens
FROM placed JOIN training_metric USING (training_run_id)
WHERE before + step > :after
ORDER BY 1
"""

_ENDS = """
SELECT iteration, (sum(tuned.steps) OVER (ORDER BY iteration))::bigint AS step
FROM run_iteration
JOIN training_run USING (iteration_id)
CROSS JOIN LATERAL (
    SELECT max(step) AS steps FROM training_metric WHERE training_run_id = training_run.id
) AS tuned
WHERE run_iteration.run_id = :run_id AND tuned.steps IS NOT NULL
ORDER BY iteration
"""


def training_points(session: Session, run_id: int, *, after: int = 0) -> list[Point]:
    """Loss, learning rate and gradient norm of every logged step later than `after`."""
    points = []
    for row in rows(session, _Step, _STEPS, run_id=run_id, after=after):
        values = {"train/loss": row.loss, "train/learning_rate": row.learning_rate}
        if row.grad_norm is not None:
            values["train/grad_norm"] = row.grad_norm
        points.append(Point(row.step, values | {"train/tokens": float(row.tokens)}))
    return points


def iteration_points(session: Session, run_id: int) -> list[Point]:
    """What each finished iteration came to, at the last step of its training."""
    ends = {row.iteration: row.step for row in rows(session, _End, _ENDS, run_id=run_id)}
    scores = run_scores(session, run_id)
    points = []
    for row in run_summary(session, run_id):
        if row.phase != "done" or row.iteration not in ends:
            continue
        values: dict[str, float | None] = {
            "iteration/number": row.iteration,
            "iteration/tuning_pool": row.tuning_pool,
            "iteration/cache_pool": row.cache_pool,
            "assess/difficult_share": row.difficult_share,
            "assess/flip_share": row.flip_share,
            "assess/teacher_score": row.teacher_score,
            "assess/student_score": row.student_score,
        }
        for score in scores:
            if score.iteration == row.iteration:
                values[f"held_out/{score.benchmark}"] = score.score
        known = {name: float(value) for name, value in values.items() if value is not None}
        points.append(Point(ends[row.iteration], known))
    return points
