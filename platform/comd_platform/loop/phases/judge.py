"""Judge: the assessor scores both answers, twice, with positions swapped (eq. 5)."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from comd_platform.ledger import plan_items
from comd_platform.loop.context import Context, cache_pool_ids, quarantined
from comd_platform.tables import Answer, Instruction, Judgement


def plan(session: Session, context: Context) -> int:
    """Work items for the answered pairs that this assessor has not judged; returns how many."""
    teacher, student = aliased(Answer), aliased(Answer)
    judged = exists().where(
        Judgement.teacher_answer_id == teacher.id,
        Judgement.student_answer_id == student.id,
        Judgement.assessor_id == context.assessor_model_id,
    )
    subjects = (
        select(Instruction.id)
        .join(
            teacher,
            (teacher.instruction_id == Instruction.id)
            & (teacher.model_id == context.teacher_model_id),
        )
        .join(
            student,
            (student.instruction_id == Instruction.id) & (student.model_id == context.student),
        )
        .where(
            Instruction.id.in_(cache_pool_ids(context.pool_id)),
            ~quarantined(context, "judge"),
            ~judged,
        )
    )
    return plan_items(
        session,
        iteration_id=context.iteration_id,
        phase="judge",
        role="assessor",
        subjects=subjects,
        order=Instruction.key,
        batch=context.config.assessor.batch,
        model_id=context.assessor_model_id,
    )
