"""How the pools of a run grew, and what became of the instructions chosen to grow them."""

from __future__ import annotations

from collections.abc import Sequence
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

    `replied` counts the sources that the augmentor replied to, `generated` those with a well-formed
    candidate, `accepted` those with a child: it differed enough (ROUGE-L), and the budget allowed it;
    `trained` those whose child the student was tuned on: neither overlap nor review kept it out.
    """

    iteration: int
    band: str
    selected: int
    replied: int
    generated: int
    accepted: int
    trained: int


@dataclass(frozen=True, slots=True)
class RejectionRow:
    """Replies of the augmentor that an iteration rejected for one reason.

    `share` is of all its replies; a source may have several.
    """

    iteration: int
    reason: str
    replies: int
    share: float


@dataclass(frozen=True, slots=True)
class RejectedReply:
    """One reply that was rejected. `rouge_l` and `nearest` where it came too close to another one."""

    source_id: int
    attempt: int
    source: str
    band: str
    raw: str
    text: str | None
    rouge_l: float | None
    nearest_id: int | None
    nearest: str | None


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
    coalesce(sum(n) FILTER (WHERE what = 'answered source'), 0)::bigint AS replied,
    coalesce(sum(n) FILTER (WHERE what = 'readable source'), 0)::bigint AS generated,
    coalesce(sum(n) FILTER (WHERE what = 'accepted source'), 0)::bigint AS accepted,
    coalesce(sum(n) FILTER (WHERE what = 'trained source'), 0)::bigint AS trained
FROM run_iteration
CROSS JOIN LATERAL iteration_counts(run_iteration.iteration_id)
WHERE run_iteration.run_id = :run_id AND run_iteration.iteration > 1 AND what LIKE '%source'
GROUP BY 1, 2
ORDER BY 1, 2
"""

_REJECTIONS = """
SELECT iteration, reason, replies, share
FROM (
    SELECT
        run_iteration.iteration,
        label AS reason,
        n AS replies,
        n / sum(n) OVER (PARTITION BY run_iteration.iteration)::double precision AS share
    FROM run_iteration
    CROSS JOIN LATERAL iteration_counts(run_iteration.iteration_id)
    WHERE run_iteration.run_id = :run_id AND run_iteration.iteration > 1
        AND what IN ('rejected', 'accepted', 'generated')
) AS outcome
WHERE reason IS NOT NULL
ORDER BY 1, replies DESC, 2
"""

# In the order of the unique index over a pool's replies: stops as soon as the page is full.
_REJECTED = """
SELECT
    page.source_instruction_id AS source_id,
    page.attempt,
    source.text AS source,
    page.band,
    left(page.raw, :longest) AS raw,
    left(page.text, :longest) AS text,
    page.rouge_l,
    page.nearest_id,
    nearest.text AS nearest
FROM (
    SELECT augmentation.*
    FROM run_iteration
    JOIN augmentation USING (pool_id)
    WHERE run_iteration.run_id = :run_id
        AND run_iteration.iteration = :iteration
        AND augmentation.reason = :reason
        AND (augmentation.source_instruction_id, augmentation.attempt) > (:source, :attempt)
    ORDER BY augmentation.source_instruction_id, augmentation.attempt
    LIMIT :limit
) AS page
JOIN instruction AS source ON source.id = page.source_instruction_id
LEFT JOIN instruction AS nearest ON nearest.id = page.nearest_id
ORDER BY page.source_instruction_id, page.attempt
"""

LONGEST = 20_000
"""Characters of a reply that a report carries at most; the row holds them all."""


def pool_growth(session: Session, run_id: int) -> list[PoolRow]:
    """Tuning and cache pool of every iteration."""
    return rows(session, PoolRow, _POOLS, run_id=run_id)


def augmentation_funnel(session: Session, run_id: int) -> list[FunnelRow]:
    """From the chosen sources to what the student was tuned on, by iteration and band."""
    return rows(session, FunnelRow, _FUNNEL, run_id=run_id)


def rejections(session: Session, run_id: int) -> list[RejectionRow]:
    """Why the augmentor's replies were rejected, the most frequent reason first."""
    return rows(session, RejectionRow, _REJECTIONS, run_id=run_id)


def acceptance(rows: Sequence[FunnelRow]) -> float | None:
    """New instructions a source in the newest pool that grew; None before there is one."""
    newest = [row for row in rows if row.iteration == max(row.iteration for row in rows)]
    selected = sum(row.selected for row in newest)
    return sum(row.accepted for row in newest) / selected if selected else None


def rejected_replies(
    session: Session,
    run_id: int,
    iteration: int,
    reason: str,
    *,
    after: tuple[int, int] = (0, 0),
    limit: int = 20,
) -> list[RejectedReply]:
    """Replies rejected for one reason, in the order of their sources, from one to the next page.

    after: (source id, attempt) of the last one seen.
    """
    return rows(
        session,
        RejectedReply,
        _REJECTED,
        run_id=run_id,
        iteration=iteration,
        reason=reason,
        source=after[0],
        attempt=after[1],
        limit=limit,
        longest=LONGEST,
    )
