"""How the pools of a run grew, and what became of the instructions chosen to grow them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class PoolRow:
    """The pools of one iteration, in instructions: `tuning` is new, `cache` is all so far."""

    iteration: int
    shared: bool
    tuning: int
    cache: int


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """Sources of one band that an iteration (the second or later) chose, and what came of them.

    `generated` counts the sources with a well-formed candidate, `accepted` those with a child.
    """

    iteration: int
    band: str
    selected: int
    generated: int
    accepted: int


@dataclass(frozen=True, slots=True)
class RejectionRow:
    """Replies of the augmentor that an iteration rejected for one reason."""

    iteration: int
    reason: str
    replies: int


_POOLS = """
SELECT
    run_iteration.iteration,
    run_iteration.shared,
    coalesce(sum(n) FILTER (WHERE what = 'born'), 0)::bigint AS tuning,
    coalesce(sum(n) FILTER (WHERE what = 'cached'), 0)::bigint AS cache
FROM run_iteration
LEFT JOIN LATERAL iteration_counts(run_iteration.iteration_id)
    ON what IN ('born', 'cached')
WHERE run_iteration.run_id = :run_id
GROUP BY 1, 2
ORDER BY 1
"""

_FUNNEL = """
SELECT
    run_iteration.iteration,
    label AS band,
    coalesce(sum(n) FILTER (WHERE what = 'source'), 0)::bigint AS selected,
    coalesce(sum(n) FILTER (WHERE what = 'readable source'), 0)::bigint AS generated,
    coalesce(sum(n) FILTER (WHERE what = 'accepted source'), 0)::bigint AS accepted
FROM run_iteration
CROSS JOIN LATERAL iteration_counts(run_iteration.iteration_id)
WHERE run_iteration.run_id = :run_id AND run_iteration.iteration > 1
    AND what IN ('source', 'readable source', 'accepted source')
GROUP BY 1, 2
ORDER BY 1, 2
"""

_REJECTIONS = """
SELECT run_iteration.iteration, label AS reason, n AS replies
FROM run_iteration
CROSS JOIN LATERAL iteration_counts(run_iteration.iteration_id)
WHERE run_iteration.run_id = :run_id AND run_iteration.iteration > 1 AND what = 'rejected'
ORDER BY 1, replies DESC, 2
"""


def pool_growth(session: Session, run_id: int) -> list[PoolRow]:
    """Tuning and cache pool of every iteration."""
    return rows(session, PoolRow, _POOLS, run_id=run_id)


def augmentation_funnel(session: Session, run_id: int) -> list[FunnelRow]:
    """Selected, generated and accepted by iteration and band."""
    return rows(session, FunnelRow, _FUNNEL, run_id=run_id)


def rejections(session: Session, run_id: int) -> list[RejectionRow]:
    """Why the augmentor's replies were rejected, the most frequent reason first."""
    return rows(session, RejectionRow, _REJECTIONS, run_id=run_id)
