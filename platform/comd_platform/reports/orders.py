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
    pair.teacher_score_1 AS teacher_1,
    pair.student_score_1 AS student_1,
    pair.teacher_score_2 AS teacher_2,
    pair.student_score_2 AS student_2,
    pair.clamped,
    count(*) AS pairs,
    sum(pair.replies)::bigint AS replies,
    sum(pair.unreadable)::bigint AS unreadable
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
JOIN judged_pair AS pair
    ON pair.student_model_id = iteration.student_model_id
    AND pair.assessor_id = iteration.assessor_model_id
JOIN answer AS teacher_answer
    ON teacher_answer.id = pair.teacher_answer_id
    AND teacher_answer.model_id = iteration.teacher_model_id
WHERE run_iteration.run_id = :run_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ORDER BY 1, 4, 5, 6, 7, 8
"""


def order_cells(session: Session, run_id: int) -> list[OrderCell]:
    """Every iteration that was judged, those before its branch included."""
    return rows(session, OrderCell, _ORDERS, run_id=run_id)
