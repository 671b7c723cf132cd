"""How far a run is: phase by phase, with rate and time left, from the ledger's rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class PhaseProgress:
    """One phase of one iteration.

    `total`, `done`, `open` and `failed` count records (instructions; evaluation items in evaluate;
    in tune optimizer steps, whose total is known beforehand only where `max_steps` sets it). `rate`
    is records a second: over the last minute while it runs and something was done in it, else since
    the phase began. `seconds_left` is None where nothing is left or no rate is known. `items_*` are
    work items; `quarantined` and `retrying` are records with a failure.
    """

    iteration: int
    iteration_id: int
    shared: bool
    phase: str
    unit: str
    total: int | None
    done: int
    open: int
    failed: int
    started_at: datetime
    finished_at: datetime | None
    seconds: float
    rate: float | None
    seconds_left: float | None
    items_pending: int
    items_leased: int
    items_done: int
    items_failed: int
    retrying: int
    quarantined: int
    note: str | None

    @property
    def share(self) -> float | None:
        """How much of the phase is behind, 0 to 1; None where the total is not known."""
        if self.finished_at is not None:
            return 1.0
        if not self.total:
            return None
        return min(1.0, (self.done + self.failed) / self.total)


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Failures of one kind in one phase, with one example. `example` may hold a model's text."""

    iteration: int
    phase: str
    reason: str
    state: str
    records: int
    example: str


# A split item's records live on in its halves, so it counts as neither done nor open. An item may
# be planned anew for records already counted as done (another reply of the assessor), hence done is
# what is neither open nor failed. A finished phase's rate is its mean.
_PROGRESS = """
WITH counted AS (
    SELECT
        phase.iteration_id,
        phase.phase,
        count(*) FILTER (WHERE item.state = 'pending') AS items_pending,
        count(*) FILTER (WHERE item.state = 'leased') AS items_leased,
        count(*) FILTER (WHERE item.state = 'done') AS items_done,
        count(*) FILTER (WHERE item.state = 'failed') AS items_failed,
        coalesce(sum(cardinality(item.subject_ids))
            FILTER (WHERE item.state IN ('pending', 'leased')), 0)::bigint AS open,
        coalesce(sum(cardinality(item.subject_ids))
            FILTER (WHERE item.state = 'failed'), 0)::bigint AS failed,
        coalesce(sum(cardinality(item.subject_ids))
            FILTER (WHERE item.state = 'done'), 0)::bigint AS worked,
        coalesce(sum(cardinality(item.subject_ids)) FILTER (
            WHERE item.state = 'done' AND item.finished_at > clock_timestamp() - interval '1 minute'
        ), 0)::bigint AS lately
    FROM run_iteration
    JOIN iteration_phase AS phase USING (iteration_id)
    LEFT JOIN work_item AS item
        ON item.iteration_id = phase.iteration_id AND item.phase = phase.phase
    WHERE run_iteration.run_id = :run_id
    GROUP BY phase.iteration_id, phase.phase
), failing AS (
    SELECT
        failure.iteration_id,
        failure.phase,
        count(*) FILTER (WHERE failure.state = 'retrying') AS retrying,
        count(*) FILTER (WHERE failure.state = 'quarantined') AS quarantined
    FROM run_iteration
    JOIN failure USING (iteration_id)
    WHERE run_iteration.run_id = :run_id
    GROUP BY failure.iteration_id, failure.phase
), tuned AS (
    SELECT
        training_run.iteration_id,
        (training_run.config ->> 'max_steps')::bigint AS steps,
        (SELECT max(step) FROM training_metric WHERE training_run_id = training_run.id) AS step
    FROM run_iteration
    JOIN training_run USING (iteration_id)
    WHERE run_iteration.run_id = :run_id
), measured AS (
    SELECT
        run_iteration.iteration,
        counted.*,
        run_iteration.shared,
        phase.started_at,
        phase.finished_at,
        phase.note,
        greatest(0.001, extract(
            epoch FROM coalesce(phase.finished_at, clock_timestamp()) - phase.started_at
        ))::double precision AS seconds,
        phase.phase = 'tune' AS is_tune,
        CASE
            WHEN phase.phase = 'tune' AND phase.finished_at IS NOT NULL
                THEN coalesce(tuned.step, tuned.steps, 0)
            WHEN phase.phase = 'tune' THEN tuned.steps
            ELSE greatest(phase.total, counted.open + counted.failed)
        END AS total,
        tuned.step
    FROM counted
    JOIN iteration_phase AS phase USING (iteration_id, phase)
    JOIN run_iteration ON run_iteration.iteration_id = counted.iteration_id
        AND run_iteration.run_id = :run_id
    LEFT JOIN tuned ON tuned.iteration_id = counted.iteration_id
), moving AS (
    SELECT
        measured.*,
        CASE
            WHEN is_tune THEN coalesce(step, 0)
            WHEN finished_at IS NULL AND worked + open + failed = 0 THEN 0
            ELSE total - open - failed
        END AS done,
        CASE
            WHEN is_tune THEN step / seconds
            WHEN finished_at IS NULL AND seconds > 60 AND lately > 0 THEN lately / 60.0::double precision
            WHEN finished_at IS NOT NULL AND worked = 0 THEN total / seconds
            ELSE worked / seconds
        END AS speed
    FROM measured
)
SELECT
    moving.iteration,
    moving.iteration_id,
    moving.shared,
    moving.phase,
    CASE
        WHEN is_tune THEN 'steps'
        WHEN moving.phase = 'evaluate' THEN 'items'
        ELSE 'instructions'
    END AS unit,
    total,
    done,
    CASE WHEN is_tune THEN coalesce(total - done, 0) ELSE open END AS open,
    failed,
    started_at,
    finished_at,
    seconds,
    nullif(speed, 0) AS rate,
    CASE WHEN finished_at IS NULL AND total > done + failed
        THEN (total - done - failed) / nullif(speed, 0) END AS seconds_left,
    items_pending,
    items_leased,
    items_done,
    items_failed,
    coalesce(retrying, 0) AS retrying,
    coalesce(quarantined, 0) AS quarantined,
    note
FROM moving
LEFT JOIN failing ON failing.iteration_id = moving.iteration_id AND failing.phase = moving.phase
ORDER BY moving.iteration, moving.started_at, array_position(
    ARRAY['augment', 'accept', 'decontaminate', 'label', 'tune', 'answer', 'evaluate', 'judge',
        'assess'], moving.phase
)
"""

_FAILURES = """
SELECT
    run_iteration.iteration,
    failure.phase,
    failure.reason,
    failure.state,
    count(*) AS records,
    min(failure.detail) AS example
FROM run_iteration
JOIN failure USING (iteration_id)
WHERE run_iteration.run_id = :run_id AND failure.state <> 'resolved'
GROUP BY 1, 2, 3, 4
ORDER BY 1 DESC, records DESC, 2, 3
"""


def run_progress(session: Session, run_id: int) -> list[PhaseProgress]:
    """Every phase that a run's iterations have begun, in the order in which they began.

    The last one is where the run stands.
    """
    return rows(session, PhaseProgress, _PROGRESS, run_id=run_id)


def run_failures(session: Session, run_id: int) -> list[FailureRow]:
    """What fails or has been set aside in a run, by phase and reason, the newest iteration first."""
    return rows(session, FailureRow, _FAILURES, run_id=run_id)
