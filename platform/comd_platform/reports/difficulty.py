"""How difficult the cache pool was for an iteration's student (eq. 6)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class DifficultyBin:
    """Instructions with difficulty in [low, high), the last bin closed; all of one band."""

    low: float
    high: float
    band: str
    instructions: int


@dataclass(frozen=True, slots=True)
class TaskTypeRow:
    """One task type of the cache pool. `difficulty` is the mean over its scored instructions."""

    task_type: str
    difficult: int
    easy: int
    unscored: int
    difficult_share: float | None
    difficulty: float | None


_SCORED = """
WITH scored AS (
    SELECT
        assessment.instruction_id,
        assessment.difficulty,
        CASE
            WHEN assessment.difficulty IS NULL THEN 'unscored'
            WHEN assessment.difficulty >= run_iteration.threshold AND run_iteration.threshold < 1
                THEN 'difficult'
            ELSE 'easy'
        END AS band
    FROM run_iteration
    JOIN assessment USING (iteration_id)
    WHERE run_iteration.run_id = :run_id AND run_iteration.iteration = :iteration
)
"""

_HISTOGRAM = (
    _SCORED
    + """, binned AS (
    SELECT
        least(floor(difficulty * :bins)::bigint, :bins - 1) AS bin,
        band,
        count(*) AS instructions
    FROM scored
    WHERE difficulty IS NOT NULL
    GROUP BY 1, 2
)
SELECT
    bin::double precision / :bins AS low,
    (bin + 1)::double precision / :bins AS high,
    band,
    instructions
FROM binned
ORDER BY bin, band
"""
)

_TASK_TYPES = (
    _SCORED
    + """
SELECT
    instruction.task_type,
    count(*) FILTER (WHERE band = 'difficult') AS difficult,
    count(*) FILTER (WHERE band = 'easy') AS easy,
    count(*) FILTER (WHERE band = 'unscored') AS unscored,
    count(*) FILTER (WHERE band = 'difficult')::double precision
        / nullif(count(difficulty), 0) AS difficult_share,
    avg(difficulty) AS difficulty
FROM scored
JOIN instruction ON instruction.id = scored.instruction_id
GROUP BY instruction.task_type
ORDER BY count(*) DESC, instruction.task_type
"""
)


def difficulty_histogram(
    session: Session, run_id: int, iteration: int, *, bins: int = 20
) -> list[DifficultyBin]:
    """Counts by bin and band; the bin that the threshold cuts has a row for each band.

    Empty bins have no row. Unscored instructions stand in `bands_by_task_type` only.
    """
    return rows(session, DifficultyBin, _HISTOGRAM, run_id=run_id, iteration=iteration, bins=bins)


def bands_by_task_type(session: Session, run_id: int, iteration: int) -> list[TaskTypeRow]:
    """Bands of an iteration's assessment by task type, the most frequent type first."""
    return rows(session, TaskTypeRow, _TASK_TYPES, run_id=run_id, iteration=iteration)
