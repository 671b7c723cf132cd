"""What instructions and benchmarks have in common: counts, and the overlaps one by one."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class OverlapCount:
    """How many instructions of an iteration overlap with one benchmark in one way."""

    iteration: int
    benchmark: str
    kind: str
    verdict: str
    instructions: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """An instruction and the item that it is nearest to; `items` says with how many it overlaps.

    `distance`: bits of 64 (0: the very same picture, or one with the same hash); `rouge_l`: of the
    two questions.
    """

    iteration: int
    instruction_id: int
    text: str
    kind: str
    verdict: str
    distance: int | None
    rouge_l: float | None
    benchmark: str
    item: str
    question: str
    items: int


@dataclass(frozen=True, slots=True)
class KeptOut:
    """What one iteration's decontamination came to; an instruction counts once, however it overlaps."""

    iteration: int
    checked: int
    excluded: int
    reported: int
    generic: int


# Both read one of two sources: what is recorded, or what was just found.
_COUNTS = """
SELECT iteration, benchmark, kind, verdict, count(*) AS instructions
FROM ({source}) AS told
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
"""

_OVERLAPS = """
SELECT
    iteration, instruction_id, text, kind, verdict, distance, rouge_l, benchmark, item, question,
    items
FROM ({source}) AS told
WHERE iteration = :iteration
ORDER BY array_position(ARRAY['excluded', 'reported', 'generic'], verdict),
    array_position(ARRAY['same_image', 'near_image', 'near_text'], kind),
    distance, rouge_l DESC, instruction_id, benchmark
LIMIT :limit
"""

_RECORDED = "SELECT * FROM contaminated_instruction WHERE run_id = :run_id"

# What `overlap.find_hits` left in this transaction.
_FOUND = """
    SELECT
        CAST(:iteration AS int8) AS iteration, hit.*, instruction.text, benchmark.name AS benchmark,
        evaluation_item.key AS item, evaluation_item.question
    FROM hit
    JOIN instruction ON instruction.id = hit.instruction_id
    JOIN benchmark ON benchmark.id = hit.benchmark_id
    JOIN evaluation_item ON evaluation_item.id = hit.item_id
"""

_KEPT_OUT = """
SELECT
    run_iteration.iteration,
    phase.total AS checked,
    count(DISTINCT instruction_id) FILTER (WHERE verdict = 'excluded') AS excluded,
    count(DISTINCT instruction_id) FILTER (WHERE verdict = 'reported') AS reported,
    count(DISTINCT instruction_id) FILTER (WHERE verdict = 'generic') AS generic
FROM run_iteration
JOIN iteration_phase AS phase
    ON phase.iteration_id = run_iteration.iteration_id
    AND phase.phase = 'decontaminate' AND phase.finished_at IS NOT NULL
LEFT JOIN contamination ON contamination.iteration_id = run_iteration.iteration_id
WHERE run_iteration.run_id = :run_id
GROUP BY 1, 2
ORDER BY 1
"""


def overlap_counts(session: Session, run_id: int) -> list[OverlapCount]:
    """Instructions by iteration, benchmark, kind and verdict, as recorded."""
    return rows(session, OverlapCount, _COUNTS.format(source=_RECORDED), run_id=run_id)


def overlaps(
    session: Session, run_id: int, iteration: int, limit: int | None = None
) -> list[Overlap]:
    """What one iteration recorded, the gravest first."""
    statement = _OVERLAPS.format(source=_RECORDED)
    return rows(session, Overlap, statement, run_id=run_id, iteration=iteration, limit=limit)


def found_counts(session: Session, iteration: int) -> list[OverlapCount]:
    """`overlap_counts` of a comparison just made in this transaction, which nobody records."""
    return rows(session, OverlapCount, _COUNTS.format(source=_FOUND), iteration=iteration)


def found_overlaps(session: Session, iteration: int, limit: int | None = None) -> list[Overlap]:
    """`overlaps` of a comparison just made in this transaction, which nobody records."""
    statement = _OVERLAPS.format(source=_FOUND)
    return rows(session, Overlap, statement, iteration=iteration, limit=limit)


def kept_out(session: Session, run_id: int) -> list[KeptOut]:
    """One row for each iteration that has compared its instructions with benchmarks."""
    return rows(session, KeptOut, _KEPT_OUT, run_id=run_id)
