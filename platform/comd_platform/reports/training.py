"""How the tuning of each iteration went."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One tuning. `seconds` and `tokens` are those of its last logged step.

    `planned_steps`: where the config sets them. `saved_step`: from where it can be resumed.
    `failure_kind`: why it failed, by name.
    """

    iteration: int
    shared: bool
    state: str
    error: str | None
    failure_kind: str | None
    saved_step: int | None
    planned_steps: int | None
    objective: str
    examples: int
    dialogues: int
    steps: int | None
    first_loss: float | None
    last_loss: float | None
    tokens: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class LossPoint:
    """Mean over consecutive steps of one iteration's tuning; `step` is the last of them.

    `tokens_per_second`: without padding, from the second step on (the first has the loading in it).
    """

    iteration: int
    step: int
    loss: float
    learning_rate: float
    grad_norm: float | None
    tokens_per_second: float | None


_TRAININGS = """
SELECT
    run_iteration.iteration,
    run_iteration.shared,
    training_run.state,
    training_run.error,
    training_run.failure_kind,
    training_run.saved_step,
    (training_run.config ->> 'max_steps')::bigint AS planned_steps,
    training_run.objective,
    seen.examples,
    seen.dialogues,
    last_metric.step AS steps,
    first_metric.loss AS first_loss,
    last_metric.loss AS last_loss,
    last_metric.tokens,
    last_metric.seconds
FROM run_iteration
JOIN training_run USING (iteration_id)
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(n) FILTER (WHERE what = 'example'), 0)::bigint AS examples,
        coalesce(sum(n) FILTER (WHERE what = 'dialogue'), 0)::bigint AS dialogues
    FROM iteration_counts(run_iteration.iteration_id)
    WHERE what IN ('example', 'dialogue')
) AS seen
LEFT JOIN LATERAL (
    SELECT loss FROM training_metric
    WHERE training_run_id = training_run.id ORDER BY step LIMIT 1
) AS first_metric ON true
LEFT JOIN LATERAL (
    SELECT step, loss, tokens, seconds FROM training_metric
    WHERE training_run_id = training_run.id ORDER BY step DESC LIMIT 1
) AS last_metric ON true
WHERE run_iteration.run_id = :run_id
ORDER BY run_iteration.iteration
"""

_LOSS = """
WITH logged AS (
    SELECT
        run_iteration.iteration,
        training_metric.*,
        seconds - lag(seconds) OVER told AS step_seconds,
        ntile(:points) OVER (PARTITION BY run_iteration.iteration ORDER BY step) AS slice
    FROM run_iteration
    JOIN training_run USING (iteration_id)
    JOIN training_metric ON training_metric.training_run_id = training_run.id
    WHERE run_iteration.run_id = :run_id
    WINDOW told AS (PARTITION BY run_iteration.iteration ORDER BY step)
)
SELECT
    iteration,
    max(step) AS step,
    avg(loss) AS loss,
    avg(learning_rate) AS learning_rate,
    avg(grad_norm) AS grad_norm,
    (sum(tokens) FILTER (WHERE step_seconds IS NOT NULL) / nullif(sum(step_seconds), 0))
        ::double precision AS tokens_per_second
FROM logged
GROUP BY iteration, slice
ORDER BY iteration, step
"""


def trainings(session: Session, run_id: int) -> list[TrainingRow]:
    """The tuning of every iteration that has begun one."""
    return rows(session, TrainingRow, _TRAININGS, run_id=run_id)


def loss_curve(session: Session, run_id: int, *, points: int = 200) -> list[LossPoint]:
    """Loss by optimizer step, at most `points` an iteration."""
    return rows(session, LossPoint, _LOSS, run_id=run_id, points=points)
