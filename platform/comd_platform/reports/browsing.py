"""The instructions of a cache pool, filtered, a page at a time, as one iteration found them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from sqlalchemy.orm import Session

from comd_platform.errors import ComdError
from comd_platform.reports.query import rows

Order = Literal["oldest", "newest", "difficult", "behind"]
ORDERS: tuple[Order, ...] = get_args(Order)

_FLAGS = ("flip", "one_order", "clamped", "unreadable", "no_answer", "not_judged")
_VERDICTS = {"accepted": "accept", "rejected": "reject", "edited": "edit"}
STATUSES: tuple[str, ...] = ("quarantined", "unscored", *_FLAGS, *_VERDICTS, "flagged")
"""What can be asked for beyond scores: what failed, what the assessor did, what people decided."""

COUNTED = 10_000
"""Matches are counted up to this many; a page needs no more, and a count of all may be long."""


class UnknownFilter(ComdError):
    """A filter that is none, or an iteration that the run does not have."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which instructions of a run's cache pool, as `iteration` assessed it.

    band: difficult, easy or unscored; teacher, student: scores, both ends included; words: a part of
    the instruction's text, in either case; born_in: only what this iteration brought.
    """

    iteration: int
    task_type: str | None = None
    band: str | None = None
    status: str | None = None
    teacher: tuple[float, float] | None = None
    student: tuple[float, float] | None = None
    words: str = ""
    born_in: int | None = None


@dataclass(frozen=True, slots=True)
class BrowseRow:
    """One instruction, with what the iteration made of it. `picture` is the sha256 of its image.

    `place` is where the next page goes on from.
    """

    instruction_id: int
    text: str
    task_type: str
    picture: str | None
    born_in: int | None
    teacher_score: float | None
    student_score: float | None
    difficulty: float | None
    band: str
    flags: list[str]
    verdict: str | None
    flagged: bool
    place: float


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order. `after` is (place, id) to go on from; None where this is the last page."""

    rows: tuple[BrowseRow, ...]
    after: tuple[float, int] | None


@dataclass(frozen=True, slots=True)
class _At:
    iteration_id: int
    threshold: float
    pools: list[int]
    born: list[int]


@dataclass(frozen=True, slots=True)
class _Count:
    found: int


@dataclass(frozen=True, slots=True)
class _TaskType:
    task_type: str


@dataclass(slots=True)
class _Where:
    """Conditions and what they are given."""

    conditions: list[str] = field(default_factory=list)
    given: dict[str, object] = field(default_factory=dict)

    def add(self, condition: str, **given: object) -> None:
        self.conditions.append(condition)
        self.given |= given


_AT = """
SELECT
    at.iteration_id,
    at.threshold,
    array(SELECT ancestor_id FROM pool_closure WHERE pool_id = at.pool_id) AS pools,
    array(
        SELECT born.pool_id FROM run_iteration AS born
        WHERE born.run_id = :run_id AND born.iteration = :born_in
    ) AS born
FROM run_iteration AS at
WHERE at.run_id = :run_id AND at.iteration = :iteration
"""

_MATCHING = """
FROM instruction
{join} assessment
    ON assessment.instruction_id = instruction.id AND assessment.iteration_id = :iteration_id
WHERE {conditions}
"""

# The page is cut first and dressed afterwards.
_PAGE = """
WITH page AS MATERIALIZED (
    SELECT
        instruction.id,
        instruction.text,
        instruction.task_type,
        instruction.image_id,
        instruction.pool_id,
        assessment.teacher_score,
        assessment.student_score,
        assessment.difficulty,
        coalesce(assessment.flags, '{{}}') AS flags,
        {place} AS place
    {matching}
    ORDER BY {place} {way}, instruction.id {way}
    LIMIT :limit
)
SELECT
    page.id AS instruction_id,
    page.text,
    page.task_type,
    image.sha256 AS picture,
    (
        SELECT min(born.iteration) FROM run_iteration AS born
        WHERE born.run_id = :run_id AND born.pool_id = page.pool_id
    ) AS born_in,
    page.teacher_score,
    page.student_score,
    page.difficulty,
    CASE
        WHEN page.difficulty IS NULL THEN 'unscored'
        WHEN page.difficulty >= :threshold AND :threshold < 1 THEN 'difficult'
        ELSE 'easy'
    END AS band,
    page.flags,
    reviewed.verdict,
    coalesce(reviewed.flagged, false) AS flagged,
    page.place
FROM page
LEFT JOIN image ON image.id = page.image_id
LEFT JOIN reviewed_instruction AS reviewed ON reviewed.instruction_id = page.id
ORDER BY page.place {way}, page.id {way}
"""

# order -> what is sorted by, the way, and what must hold to stand in it.
_PLACES: dict[Order, tuple[str, str, str | None]] = {
    "oldest": ("0::double precision", "ASC", None),
    "newest": ("0::double precision", "DESC", None),
    "difficult": ("assessment.difficulty", "DESC", "assessment.difficulty IS NOT NULL"),
    "behind": (
        "(assessment.teacher_score - assessment.student_score)",
        "DESC",
        "assessment.student_score < assessment.teacher_score",
    ),
}


def browse(
    session: Session,
    run_id: int,
    filters: Filters,
    *,
    order: Order = "oldest",
    after: tuple[float, int] | None = None,
    limit: int = 24,
) -> Page:
    """A page of the instructions that match, going on `after` the one before.

    By difficulty, unscored ones are left out; by how far the student is behind, all where it is not.
    Raises UnknownFilter.
    """
    place, way, condition = _PLACES[order]
    where = _where(session, run_id, filters)
    if condition is not None:
        where.add(condition)
    if after is not None:
        sign = ">" if way == "ASC" else "<"
        onwards = f"({place}, instruction.id) {sign} (:after_place, :after_id)"
        if order in {"oldest", "newest"}:
            onwards = f"instruction.id {sign} :after_id"
        where.add(onwards, after_place=after[0], after_id=after[1])
    statement = _PAGE.format(place=place, way=way, matching=_matching(where))
    found = rows(session, BrowseRow, statement, run_id=run_id, limit=limit + 1, **where.given)
    shown = tuple(found[:limit])
    more = len(found) > limit
    return Page(shown, (shown[-1].place, shown[-1].instruction_id) if more else None)


def matching(session: Session, run_id: int, filters: Filters) -> int:
    """How many instructions match, counted up to COUNTED + 1. Raises UnknownFilter."""
    where = _where(session, run_id, filters)
    statement = f"SELECT count(*) AS found FROM (SELECT 1 {_matching(where)} LIMIT :most) AS one"  # noqa: S608 - built from constants
    return rows(session, _Count, statement, most=COUNTED + 1, **where.given)[0].found


def task_types(session: Session, run_id: int) -> list[str]:
    """The task types of a run's seed pool, by name: a child keeps its parent's."""
    found = rows(
        session,
        _TaskType,
        "SELECT DISTINCT label AS task_type"
        " FROM run_iteration CROSS JOIN LATERAL iteration_counts(run_iteration.iteration_id)"
        " WHERE run_id = :run_id AND iteration = 1 AND what = 'born' ORDER BY 1",
        run_id=run_id,
    )
    return [row.task_type for row in found]


def _matching(where: _Where) -> str:
    text = " AND ".join(where.conditions)
    join = "JOIN" if "assessment." in text else "LEFT JOIN"
    if "assessment.difficulty IS NULL" in text:
        join = "LEFT JOIN"
    return _MATCHING.format(join=join, conditions=text)


def _where(session: Session, run_id: int, filters: Filters) -> _Where:
    found = rows(
        session, _At, _AT, run_id=run_id, iteration=filters.iteration, born_in=filters.born_in
    )
    if not found:
        raise UnknownFilter(f"the run has no iteration {filters.iteration}")
    at = found[0]
    where = _Where(given={"iteration_id": at.iteration_id, "threshold": at.threshold})
    pools = at.pools if filters.born_in is None else [n for n in at.born if n in at.pools]
    where.add("instruction.pool_id = ANY(:pools)", pools=pools)
    if filters.task_type is not None:
        where.add("instruction.task_type = :task_type", task_type=filters.task_type)
    if filters.words:
        # Folding the case of letters beyond ASCII takes twice the time of all the rest.
        plain = 'COLLATE "C"' if filters.words.isascii() else ""
        where.add(f"instruction.text {plain} ILIKE :words", words=f"%{_literally(filters.words)}%")
    _add_scores(where, filters)
    if filters.status is not None:
        _add_status(where, filters.status)
    return where


def _add_scores(where: _Where, filters: Filters) -> None:
    bands = {
        "difficult": "assessment.difficulty >= :threshold AND :threshold < 1",
        "easy": "(assessment.difficulty < :threshold OR :threshold >= 1)"
        " AND assessment.difficulty IS NOT NULL",
        "unscored": "assessment.difficulty IS NULL",
    }
    if filters.band is not None:
        if filters.band not in bands:
            raise UnknownFilter(f"{filters.band!r} is no band", hint=f"One of: {', '.join(bands)}")
        where.add(bands[filters.band])
    for name, ends in (("teacher", filters.teacher), ("student", filters.student)):
        if ends is not None:
            where.add(
                f"assessment.{name}_score BETWEEN :{name}_low AND :{name}_high",
                **{f"{name}_low": ends[0], f"{name}_high": ends[1]},
            )


def _add_status(where: _Where, status: str) -> None:
    if status in _FLAGS:
        where.add("assessment.flags @> ARRAY[CAST(:flag AS text)]", flag=status)
    elif status in _VERDICTS:
        where.add(
            "instruction.id IN (SELECT instruction_id FROM reviewed_instruction"
            " WHERE verdict = :verdict)",
            verdict=_VERDICTS[status],
        )
    elif status == "flagged":
        where.add(
            "instruction.id IN (SELECT instruction_id FROM reviewed_instruction WHERE flagged)"
        )
    elif status == "quarantined":
        where.add(
            "instruction.id IN (SELECT instruction_id FROM failure"
            " WHERE failure.iteration_id = :iteration_id AND failure.state = 'quarantined')"
        )
    elif status == "unscored":
        where.add("assessment.difficulty IS NULL")
    else:
        raise UnknownFilter(f"{status!r} is no status", hint=f"One of: {', '.join(STATUSES)}")


def _literally(words: str) -> str:
    """`words` with what LIKE would read as a pattern escaped."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
