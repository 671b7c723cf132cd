"""What waits for a person: slices of a run's cache pool, in an order that stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy.orm import Session

from comd_platform.errors import ComdError
from comd_platform.reports.query import rows

Slice = Literal["quarantined", "inconsistent", "difficult", "flagged", "random"]
SLICES: tuple[Slice, ...] = get_args(Slice)
MOST = 500
"""A slice holds at most so many: the first of its order."""


class UnknownSlice(ComdError):
    """A slice that is none."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An instruction of a slice, why it is in it, and what `author` decided about it, if anything."""

    instruction_id: int
    why: str
    decided: str | None


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """What people's decisions about an instruction come to; `verdict` is None for a flag alone."""

    instruction_id: int
    text: str
    verdict: str | None
    corrected: str | None
    note: str | None
    author: str | None
    flagged: bool
    reviewers: int


# Each gives (instruction_id, why, place); the smallest place is first, ties go by key, which is the
# same on every machine.
_SLICES: dict[Slice, str] = {
    "quarantined": """
        SELECT
            failure.instruction_id,
            string_agg('it failed in phase ' || failure.phase || ': ' || failure.reason, '; '
                ORDER BY failure.id) AS why,
            min(failure.id)::double precision AS place
        FROM failure, at
        WHERE failure.iteration_id = at.iteration_id AND failure.state = 'quarantined'
            AND failure.instruction_id IS NOT NULL
        GROUP BY 1
    """,
    "inconsistent": """
        SELECT
            assessment.instruction_id,
            'the two orders name different winners' AS why,
            -assessment.difficulty AS place
        FROM assessment, at
        WHERE assessment.iteration_id = at.iteration_id
            AND assessment.flags @> ARRAY['flip']
    """,
    "difficult": """
        SELECT
            assessment.instruction_id,
            'its difficulty is ' || round(assessment.difficulty::numeric, 2) || ': teacher '
                || round(assessment.teacher_score::numeric, 1) || ', student '
                || round(assessment.student_score::numeric, 1) AS why,
            -assessment.difficulty AS place
        FROM assessment
        WHERE assessment.iteration_id = (SELECT iteration_id FROM at)
            AND assessment.difficulty >= (SELECT threshold FROM at)
        ORDER BY assessment.difficulty DESC
        FETCH FIRST :most ROWS WITH TIES
    """,
    "flagged": """
        SELECT
            reviewed.instruction_id,
            'it was flagged' || coalesce(' after a verdict by ' || reviewed.author, '') AS why,
            reviewed.instruction_id::double precision AS place
        FROM reviewed_instruction AS reviewed
        JOIN instruction ON instruction.id = reviewed.instruction_id, at
        WHERE reviewed.flagged AND instruction.pool_id IN (
            SELECT ancestor_id FROM pool_closure WHERE pool_id = at.pool_id
        )
    """,
    # Keys are hashes: from anywhere on, those that follow are a random sample, found by their index.
    "random": """
        SELECT id AS instruction_id, 'it was drawn at random' AS why, turn::double precision AS place
        FROM (
            (
                SELECT instruction.id, 0 AS turn FROM instruction
                WHERE instruction.pool_id = ANY(ARRAY(
                    SELECT ancestor_id FROM at JOIN pool_closure USING (pool_id)
                )) AND instruction.key >= encode(sha256(CAST(:seed AS text)::bytea), 'hex')
                ORDER BY instruction.key LIMIT :most
            )
            UNION ALL
            (
                SELECT instruction.id, 1 FROM instruction
                WHERE instruction.pool_id = ANY(ARRAY(
                    SELECT ancestor_id FROM at JOIN pool_closure USING (pool_id)
                )) AND instruction.key < encode(sha256(CAST(:seed AS text)::bytea), 'hex')
                ORDER BY instruction.key LIMIT :most
            )
        ) AS ring
    """,
}

_QUEUE = """
WITH at AS (
    SELECT iteration_id, pool_id, threshold
    FROM run_iteration WHERE run_id = :run_id AND iteration = :iteration
), slice AS (
    {slice}
), queue AS MATERIALIZED (
    SELECT slice.instruction_id, slice.why, slice.place, instruction.key
    FROM slice JOIN instruction ON instruction.id = slice.instruction_id
    ORDER BY slice.place, instruction.key
    LIMIT :most
)
SELECT queue.instruction_id, queue.why, decided.decision AS decided
FROM queue
LEFT JOIN LATERAL (
    SELECT review.decision
    FROM review
    WHERE review.instruction_id = queue.instruction_id
        AND review.author = :author
        AND review.decision <> 'undo'
        AND NOT EXISTS (
            SELECT FROM review AS undo
            WHERE undo.undoes_id = review.id AND undo.author = review.author
        )
    ORDER BY review.id DESC
    LIMIT 1
) AS decided ON true
ORDER BY queue.place, queue.key
"""

_REVIEWED = """
SELECT
    reviewed.instruction_id,
    instruction.text,
    reviewed.verdict,
    reviewed.text AS corrected,
    reviewed.note,
    reviewed.author,
    reviewed.flagged,
    reviewed.reviewers
FROM reviewed_instruction AS reviewed
JOIN instruction ON instruction.id = reviewed.instruction_id
WHERE instruction.pool_id IN (
    SELECT pool_closure.ancestor_id FROM pool_closure
    JOIN run_iteration ON run_iteration.pool_id = pool_closure.pool_id
    WHERE run_iteration.run_id = :run_id
    UNION SELECT pool_id FROM run WHERE id = :run_id
)
ORDER BY reviewed.decided_at DESC NULLS LAST, reviewed.instruction_id
LIMIT :limit
"""


def review_queue(
    session: Session,
    run_id: int,
    iteration: int,
    which: Slice,
    *,
    author: str,
    seed: int = 0,
    most: int = MOST,
) -> list[Waiting]:
    """The slice in its order, the same for whoever asks: quarantined and flagged from the oldest,
    inconsistent and difficult from the most difficult, random from where `seed` falls among the keys.

    At most `most`. Raises UnknownSlice.
    """
    if which not in SLICES:
        raise UnknownSlice(f"{which!r} is no slice", hint=f"One of: {', '.join(SLICES)}")
    given: dict[str, object] = {
        "run_id": run_id,
        "iteration": iteration,
        "author": author,
        "most": most,
    }
    if which == "random":
        given["seed"] = seed
    return rows(session, Waiting, _QUEUE.format(slice=_SLICES[which]), **given)


def reviewed(session: Session, run_id: int, limit: int = 100) -> list[ReviewRow]:
    """What people decided about the instructions of a run, the latest first."""
    return rows(session, ReviewRow, _REVIEWED, run_id=run_id, limit=limit)
