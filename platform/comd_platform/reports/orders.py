"""The judged pairs of a run, counted by what the assessor said in each order.

The one query behind everything that is told of the assessor (`reports.judge`), as `cells` is behind
what is told of the scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class OrderCell:
    """Pairs of answers that were judged alike.

    Scores lie in [1, 10], after clamping; `*_1` with the teacher's answer first, `*_2` with the
    student's; both of an order are None where it could not be read. `clamped`: in either order the
    assessor wrote a number outside. `replies` and `unreadable` count attempts, over all the pairs.
    """

    iteration: int
    iteration_id: int
    shared: bool
    teacher_1: float | None
    student_1: float | None
    teacher_2: float | None
    student_2: float | None
    clamped: bool
    pairs: int
    replies: int
    unreadable: int


_ORDERS = """
SELECT
    run_iteration.iteration,
    run_iteration.iteration_id,
    run_iteration.shared,
    cell.teacher_score_1 AS teacher_1,
    cell.student_score_1 AS student_1,
    cell.teacher_score_2 AS teacher_2,
    cell.student_score_2 AS student_2,
    cell.clamped,
    cell.pairs,
    cell.replies,
    cell.unreadable
FROM run_iteration
CROSS JOIN LATERAL judgement_cells(run_iteration.iteration_id) AS cell
WHERE run_iteration.run_id = :run_id
ORDER BY 1, 4, 5, 6, 7, 8
"""


def order_cells(session: Session, run_id: int) -> list[OrderCell]:
    """Every iteration that was judged, those before its branch included."""
    return rows(session, OrderCell, _ORDERS, run_id=run_id)
