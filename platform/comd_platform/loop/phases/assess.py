"""Assess: both orders averaged, one row for every instruction of the cache pool (eq. 5 and 6).

One statement: the database computes what `comd_platform.method` defines (a test compares the two),
and difficulty itself is a generated column.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.loop.context import Context
from comd_platform.loop.port import Settled

# flags: one_order (the other could not be read), unreadable (neither could), clamped (a number lay
# outside 1-10), flip (the orders name different winners), no_answer, not_judged.
_ASSESS = text(
    """
    INSERT INTO assessment (
        iteration_id, instruction_id, teacher_score, student_score, flags, selection_score)
    SELECT
        :iteration_id, scored.instruction_id, scored.teacher_score, scored.student_score,
        scored.flags,
        (abs(scored.student_score - scored.teacher_score) + 1)
            / greatest(scored.student_score, scored.teacher_score)
    FROM (
        SELECT
            instruction.id AS instruction_id,
            (coalesce(pair.teacher_score_1, pair.teacher_score_2)
                + coalesce(pair.teacher_score_2, pair.teacher_score_1)) / 2 AS teacher_score,
            (coalesce(pair.student_score_1, pair.student_score_2)
                + coalesce(pair.student_score_2, pair.student_score_1)) / 2 AS student_score,
            array_remove(ARRAY[
                CASE WHEN num_nulls(pair.teacher_score_1, pair.teacher_score_2) = 1
                    AND pair.replies > 0 THEN 'one_order' END,
                CASE WHEN pair.replies > 0
                    AND num_nulls(pair.teacher_score_1, pair.teacher_score_2) = 2
                    THEN 'unreadable' END,
                CASE WHEN pair.clamped THEN 'clamped' END,
                CASE WHEN (pair.teacher_score_1 - pair.student_score_1)
                    * (pair.teacher_score_2 - pair.student_score_2) < 0 THEN 'flip' END,
                CASE WHEN teacher.id IS NULL OR student.id IS NULL THEN 'no_answer'
                    WHEN pair.replies IS NULL THEN 'not_judged' END
            ], NULL) AS flags
        FROM pool_closure
        JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
        LEFT JOIN answer AS teacher
            ON teacher.instruction_id = instruction.id AND teacher.model_id = :teacher
        LEFT JOIN answer AS student
            ON student.instruction_id = instruction.id AND student.model_id = :student
        LEFT JOIN judged_pair AS pair
            ON pair.teacher_answer_id = teacher.id
            AND pair.student_answer_id = student.id
            AND pair.assessor_id = :assessor
            AND pair.student_model_id = :student
        WHERE pool_closure.pool_id = :pool_id
    ) AS scored
    ON CONFLICT (iteration_id, instruction_id) DO NOTHING
    """
)


def settle(session: Session, context: Context) -> Settled:
    """Write the assessments, all of them, and count them, in the caller's transaction."""
    session.execute(
        _ASSESS,
        {
            "iteration_id": context.iteration_id,
            "pool_id": context.pool_id,
            "teacher": context.teacher_model_id,
            "student": context.student,
            "assessor": context.assessor_model_id,
        },
    )
    session.execute(
        text("SELECT count_cells(:iteration_id)"), {"iteration_id": context.iteration_id}
    )
    counts = session.execute(
        text(
            "SELECT count(*) AS assessed, count(*) FILTER (WHERE difficulty IS NULL) AS unscored"
            " FROM assessment WHERE iteration_id = :iteration_id"
        ),
        {"iteration_id": context.iteration_id},
    ).one()
    note = f"{counts.assessed} assessed, {counts.unscored} unscored"
    return Settled(records=counts.assessed, note=note)
