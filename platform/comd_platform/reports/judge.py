"""How far the assessor can be trusted, counted from its replies themselves."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """One iteration's pairs of answers, each shown to the assessor in both orders.

    `flips`: the orders name different winners, out of `both_orders`. `first_preferred` and
    `second_preferred`: both orders prefer what stood first, or second. `replies` counts every
    attempt, `unreadable` those that held no two scores.
    """

    iteration: int
    shared: bool
    pairs: int
    replies: int
    unreadable: int
    clamped: int
    both_orders: int
    one_order: int
    unscored: int
    flips: int
    first_preferred: int
    second_preferred: int


_HEALTH = """
SELECT
    health.iteration,
    run_iteration.shared,
    health.pairs,
    health.replies,
    health.unreadable,
    health.clamped,
    health.pairs - health.one_order - health.unscored AS both_orders,
    health.one_order,
    health.unscored,
    health.flips,
    health.first_preferred,
    health.second_preferred
FROM judge_health AS health
JOIN run_iteration USING (run_id, iteration_id)
WHERE health.run_id = :run_id
ORDER BY health.iteration
"""


def judge_health(session: Session, run_id: int) -> list[JudgeRow]:
    """Every iteration that was judged. Reads every judgement: seconds for a million replies."""
    return rows(session, JudgeRow, _HEALTH, run_id=run_id)
