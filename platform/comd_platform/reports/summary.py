"""One row an iteration: how the pools grew, what was difficult, how the student was scored."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class IterationRow:
    """One iteration of a run. Shares lie in [0, 1], scores in [1, 10]; None where nothing is known.

    `difficult_share` is of the scored instructions; `accepted_share` of the sources asked for a new
    instruction, those not looked at once the budget was full left out; `flip_share` of the
    instructions scored in both orders (the two name different winners); `one_order` counts those
    where only one order could be read. wins, ties and losses are the student's. `shared`: made by
    the run that this one branched from.
    """

    iteration: int
    iteration_id: int
    shared: bool
    phase: str
    tuning_pool: int
    cache_pool: int
    sources: int
    generated: int
    accepted: int
    accepted_share: float | None
    difficult: int
    easy: int
    unscored: int
    difficult_share: float | None
    teacher_score: float | None
    student_score: float | None
    wins: int
    ties: int
    losses: int
    one_order: int
    clamped: int
    flips: int
    flip_share: float | None
    trained_examples: int | None
    trained_steps: int | None
    final_loss: float | None


_SUMMARY = """
SELECT
    s.iteration,
    s.iteration_id,
    s.shared,
    s.phase,
    s.tuning_pool,
    s.cache_pool,
    s.sources_difficult + s.sources_easy + s.sources_random AS sources,
    s.generated,
    s.accepted,
    s.accepted::double precision
        / nullif(s.sources_difficult + s.sources_easy + s.sources_random - s.over_budget, 0)
        AS accepted_share,
    s.difficult,
    s.easy,
    s.unscored,
    s.difficult::double precision / nullif(s.difficult + s.easy, 0) AS difficult_share,
    s.teacher_score,
    s.student_score,
    s.wins,
    s.ties,
    s.losses,
    flagged.one_order,
    flagged.clamped,
    flagged.flips,
    flagged.flips::double precision
        / nullif(s.difficult + s.easy - flagged.one_order, 0) AS flip_share,
    s.trained_examples,
    s.trained_steps,
    s.final_loss
FROM iteration_summary AS s
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(instructions) FILTER (WHERE 'one_order' = ANY(flags)), 0)::bigint AS one_order,
        coalesce(sum(instructions) FILTER (WHERE 'clamped' = ANY(flags)), 0)::bigint AS clamped,
        coalesce(sum(instructions) FILTER (WHERE 'flip' = ANY(flags)), 0)::bigint AS flips
    FROM assessment_cells(s.iteration_id)
) AS flagged
WHERE s.run_id = :run_id
ORDER BY s.iteration
"""


def run_summary(session: Session, run_id: int) -> list[IterationRow]:
    """Every iteration of a run, those before its branch included."""
    return rows(session, IterationRow, _SUMMARY, run_id=run_id)
