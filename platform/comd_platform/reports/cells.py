"""The assessments of a run, counted by score: the one query behind everything drawn over scores.

A difficulty is a function of two scores (eq. 6), and an assessor gives few different ones (a mean
over two orders of whole numbers: 19 values a model). So a cache pool of millions is some thousand
cells, and histograms, bands at any threshold, score maps and tables by task type are sums over them
(`reports.difficulty`), in Python and at once. When the phase assess is closed its cells stand in a
table; until then, and where there are none, they are counted from the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.method.difficulty import difficulty
from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class ScoreCell:
    """Instructions that one iteration assessed alike.

    The scores, in [1, 10], are those of the rows and not rounded; both are None where the
    instruction is unscored. `flags` are the assessment's, in its order. `shared`: assessed by the run
    that this one branched from.
    """

    iteration: int
    iteration_id: int
    shared: bool
    task_type: str
    teacher_score: float | None
    student_score: float | None
    flags: tuple[str, ...]
    instructions: int

    @property
    def difficulty(self) -> float | None:
        """S of eq. 6, in (0, 1]; None where unscored."""
        if self.teacher_score is None or self.student_score is None:
            return None
        return difficulty(self.teacher_score, self.student_score)


@dataclass(frozen=True, slots=True)
class _Counted:
    iteration: int
    iteration_id: int
    shared: bool
    task_type: str
    teacher_score: float | None
    student_score: float | None
    flags: list[str]
    instructions: int


_CELLS = """
SELECT
    run_iteration.iteration,
    run_iteration.iteration_id,
    run_iteration.shared,
    cell.task_type,
    cell.teacher_score,
    cell.student_score,
    cell.flags,
    cell.instructions
FROM run_iteration
CROSS JOIN LATERAL assessment_cells(run_iteration.iteration_id) AS cell
WHERE run_iteration.run_id = :run_id
    AND (CAST(:iteration AS bigint) IS NULL OR run_iteration.iteration = :iteration)
ORDER BY 1, 4, 5, 6, 7
"""


def score_cells(session: Session, run_id: int, iteration: int | None = None) -> list[ScoreCell]:
    """Every assessed iteration of a run, those before its branch included; or one of them."""
    return [
        ScoreCell(
            iteration=row.iteration,
            iteration_id=row.iteration_id,
            shared=row.shared,
            task_type=row.task_type,
            teacher_score=row.teacher_score,
            student_score=row.student_score,
            flags=tuple(row.flags),
            instructions=row.instructions,
        )
        for row in rows(session, _Counted, _CELLS, run_id=run_id, iteration=iteration)
    ]
