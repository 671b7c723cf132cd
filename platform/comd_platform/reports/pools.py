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
    coalesce(sum(size.instructions) FILTER (WHERE pool_closure.depth = 0), 0)::bigint AS tuning,
    coalesce(sum(size.instructions), 0)::bigint AS cache
FROM run_iteration
JOIN pool_closure ON pool_closure.pool_id = run_iteration.pool_id
CROSS JOIN LATERAL (
    SELECT count(*) AS instructions FROM instruction WHERE pool_id = pool_closure.ancestor_id
) AS size
WHERE run_iteration.run_id = :run_id
GROUP BY 1, 2
ORDER BY 1
"""

# Replies are aggregated by source first: a source may have several.
_FUNNEL = """
WITH pools AS (
    SELECT iteration, pool_id FROM run_iteration WHERE run_id = :run_id AND iteration > 1
), chosen AS (
    SELECT pool_id, band, count(*) AS selected
    FROM selection WHERE pool_id IN (SELECT pool_id FROM pools)
    GROUP BY 1, 2
), written AS (
    SELECT
        pool_id,
        band,
        count(*) FILTER (WHERE readable) AS generated,
        count(*) FILTER (WHERE accepted) AS accepted
    FROM (
        SELECT
            pool_id,
            band,
            bool_or(text IS NOT NULL) AS readable,
            bool_or(status = 'accepted') AS accepted
        FROM augmentation WHERE pool_id IN (SELECT pool_id FROM pools)
        GROUP BY pool_id, band, source_instruction_id
    ) AS source
    GROUP BY 1, 2
)
SELECT
    pools.iteration,
    chosen.band,
    chosen.selected,
    coalesce(written.generated, 0) AS generated,
    coalesce(written.accepted, 0) AS accepted
FROM pools
JOIN chosen USING (pool_id)
LEFT JOIN written USING (pool_id, band)
ORDER BY pools.iteration, chosen.band
"""

_REJECTIONS = """
SELECT run_iteration.iteration, augmentation.reason, count(*) AS replies
FROM run_iteration
JOIN augmentation USING (pool_id)
WHERE run_iteration.run_id = :run_id
    AND run_iteration.iteration > 1
    AND augmentation.status = 'rejected'
GROUP BY 1, 2
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
