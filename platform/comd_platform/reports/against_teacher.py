"""The student against its teacher: on the cache pool as the assessor scored it, and held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from comd_platform.evaluation.statistics import Interval, wilson
from comd_platform.reports.cells import ScoreCell
from comd_platform.reports.evaluations import CHOSEN
from comd_platform.reports.query import rows

Outcome = Literal["win", "tie", "loss"]
OUTCOMES: tuple[Outcome, ...] = ("win", "tie", "loss")


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """How often the student won, tied or lost on the cache pool in one iteration; 95 % by Wilson."""

    iteration: int
    shared: bool
    outcome: Outcome
    instructions: int
    interval: Interval


@dataclass(frozen=True, slots=True)
class TypeRow:
    """One task type in one iteration. Shares are of the scored; None where nothing is scored."""

    iteration: int
    task_type: str
    scored: int
    student_score: float | None
    teacher_score: float | None
    not_lost: float | None


@dataclass(frozen=True, slots=True)
class HeldOutRow:
    """A student minus the teacher on the benchmark items that both have been scored on.

    `difference` is of mean scores, in score units (0 to 1 for choices), with its standard error over
    the pairs (None for a single one).
    """

    benchmark: str
    iteration: int
    items: int
    wins: int
    losses: int
    difference: float
    standard_error: float | None

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval; 0 where there is none."""
        return 1.96 * (self.standard_error or 0.0)


_PAIRED = (
    CHOSEN
    + """, paired AS (
    SELECT
        student.benchmark_id,
        student.iteration,
        mine.score - theirs.score AS lead
    FROM chosen AS student
    JOIN chosen AS teacher
        ON teacher.benchmark_id = student.benchmark_id AND teacher.who = 'teacher'
    JOIN evaluation_score AS mine
        ON mine.evaluation_id = student.id AND mine.score IS NOT NULL
    JOIN evaluation_score AS theirs
        ON theirs.evaluation_id = teacher.id AND theirs.item_id = mine.item_id
        AND theirs.score IS NOT NULL
    WHERE student.who = 'student'
)
SELECT
    benchmark.name AS benchmark,
    paired.iteration,
    count(*) AS items,
    count(*) FILTER (WHERE lead > 0) AS wins,
    count(*) FILTER (WHERE lead < 0) AS losses,
    avg(lead) AS difference,
    stddev_samp(lead) / sqrt(count(*)) AS standard_error
FROM paired
JOIN benchmark ON benchmark.id = paired.benchmark_id
GROUP BY 1, 2
ORDER BY 1, 2
"""
)


def outcomes(cells: Iterable[ScoreCell]) -> list[OutcomeRow]:
    """Three rows for each iteration in which anything is scored."""
    counted: dict[int, dict[Outcome, int]] = {}
    shared: dict[int, bool] = {}
    for cell in cells:
        outcome = outcome_of(cell)
        if outcome is not None:
            found = counted.setdefault(cell.iteration, {"win": 0, "tie": 0, "loss": 0})
            found[outcome] += cell.instructions
            shared[cell.iteration] = cell.shared
    return [
        OutcomeRow(
            iteration, shared[iteration], outcome, number, wilson(number, sum(found.values()))
        )
        for iteration, found in sorted(counted.items())
        for outcome, number in found.items()
    ]


def by_task_type(cells: Iterable[ScoreCell]) -> list[TypeRow]:
    """Every task type in every iteration, by iteration and name."""
    grouped: dict[tuple[int, str], list[ScoreCell]] = defaultdict(list)
    for cell in cells:
        grouped[cell.iteration, cell.task_type].append(cell)
    return [_type_row(key, found) for key, found in sorted(grouped.items())]


def held_out_against_teacher(session: Session, run_id: int) -> list[HeldOutRow]:
    """Every iteration's student on every benchmark that the teacher was scored on too."""
    return rows(session, HeldOutRow, _PAIRED, run_id=run_id)


def outcome_of(cell: ScoreCell) -> Outcome | None:
    """The student's; None where unscored."""
    if cell.teacher_score is None or cell.student_score is None:
        return None
    if cell.student_score == cell.teacher_score:
        return "tie"
    return "win" if cell.student_score > cell.teacher_score else "loss"


def _type_row(key: tuple[int, str], cells: list[ScoreCell]) -> TypeRow:
    scored = [
        (cell.teacher_score, cell.student_score, cell.instructions)
        for cell in cells
        if cell.teacher_score is not None and cell.student_score is not None
    ]
    total = sum(number for _, _, number in scored)
    if not total:
        return TypeRow(*key, 0, None, None, None)
    return TypeRow(
        iteration=key[0],
        task_type=key[1],
        scored=total,
        student_score=sum(student * number for _, student, number in scored) / total,
        teacher_score=sum(teacher * number for teacher, _, number in scored) / total,
        not_lost=sum(n for teacher, student, n in scored if student >= teacher) / total,
    )
