"""Instructions of a pool that are nearly the same, whatever their pictures.

The loop accepts what is new for *its picture* (section 3.3.3). Here all pictures are looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.method.near_duplicates import DEFAULT_THRESHOLD, clusters

_WORDINGS = """
SELECT instruction.text, count(*) AS instructions, min(instruction.id) AS first_id
FROM pool_closure JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
WHERE pool_closure.pool_id = :pool_id
GROUP BY instruction.text
ORDER BY first_id
"""
# An instruction without a picture counts as one of its own.
_PICTURES = """
SELECT
    wording.cluster,
    count(DISTINCT instruction.image_id) + count(*) FILTER (WHERE instruction.image_id IS NULL)
        AS pictures
FROM pool_closure
JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
JOIN wording USING (text)
WHERE pool_closure.pool_id = :pool_id
GROUP BY wording.cluster
"""


@dataclass(frozen=True, slots=True)
class Wording:
    """One text, how many instructions have it, and the id of the first."""

    text: str
    instructions: int
    first_id: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Instructions connected by near-identity, about `pictures` different pictures.

    `wordings` are the distinct texts; `examples` the most frequent of them.
    """

    instructions: int
    pictures: int
    wordings: int
    examples: list[Wording]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """A pool's near-duplicates. `duplicated` instructions stand in some cluster; `redundant` are those
    beyond the first of each. `clusters`: the largest first."""

    threshold: float
    instructions: int
    wordings: int
    duplicated: int
    redundant: int
    clusters: list[Cluster]


def find_duplicates(
    session: Session, pool_id: int, *, threshold: float = DEFAULT_THRESHOLD, examples: int = 3
) -> Duplicates:
    """Group the instructions of a pool and its ancestors by ROUGE-L.

    Raises ValueError for a threshold outside (0, 1].
    """
    rows = session.execute(text(_WORDINGS), {"pool_id": pool_id}).all()
    wordings = [Wording(row.text, row.instructions, row.first_id) for row in rows]
    groups = _groups(wordings, threshold)
    pictures = _pictures(session, pool_id, wordings, groups)
    found = [
        _cluster([wordings[position] for position in group], pictures[number], examples)
        for number, group in enumerate(groups)
    ]
    found.sort(key=lambda each: (-each.instructions, each.examples[0].first_id))
    duplicated = sum(each.instructions for each in found)
    return Duplicates(
        threshold=threshold,
        instructions=sum(each.instructions for each in wordings),
        wordings=len(wordings),
        duplicated=duplicated,
        redundant=duplicated - len(found),
        clusters=found,
    )


def _groups(wordings: Sequence[Wording], threshold: float) -> list[list[int]]:
    """Positions of wordings that belong together; one alone too, where several instructions have it."""
    groups = clusters([each.text for each in wordings], threshold)
    together = {position for group in groups for position in group}
    return groups + [
        [position]
        for position, each in enumerate(wordings)
        if each.instructions > 1 and position not in together
    ]


def _pictures(
    session: Session, pool_id: int, wordings: Sequence[Wording], groups: Sequence[Sequence[int]]
) -> dict[int, int]:
    """For each group, how many different pictures its instructions are about."""
    session.execute(text("DROP TABLE IF EXISTS wording"))
    session.execute(text("CREATE TEMPORARY TABLE wording (text text, cluster int8) ON COMMIT DROP"))
    rows = (
        (wordings[position].text, number)
        for number, group in enumerate(groups)
        for position in group
    )
    copy_rows(session, "wording", ("text", "cluster"), rows, ("text", "int8"))
    session.execute(text("ANALYZE wording"))
    counted = session.execute(text(_PICTURES), {"pool_id": pool_id}).tuples().all()
    return defaultdict(int, counted)


def _cluster(members: Sequence[Wording], pictures: int, examples: int) -> Cluster:
    shown = sorted(members, key=lambda each: (-each.instructions, each.first_id))[:examples]
    return Cluster(sum(each.instructions for each in members), pictures, len(members), shown)
