"""Label: the teacher answers every instruction that the student is about to be tuned on."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.ledger import plan_items
from comd_platform.loop.context import Context, quarantined
from comd_platform.loop.tuning_set import tuning_set
from comd_platform.tables import Answer, Instruction


def plan(session: Session, context: Context) -> int:
    """Work items for what the teacher has not answered yet, in any run; returns how many records."""
    answered = select(Answer.instruction_id).where(Answer.model_id == context.teacher_model_id)
    subjects = session.scalars(
        select(Instruction.id)
        .where(
            among(Instruction.id, tuning_set(session, context)),
            Instruction.id.not_in(answered),
            Instruction.id.not_in(quarantined(context, "label")),
        )
        .order_by(Instruction.key)
    ).all()
    plan_items(
        session,
        iteration_id=context.iteration_id,
        phase="label",
        role="teacher",
        subject_ids=subjects,
        batch=context.config.teacher.batch,
        model_id=context.teacher_model_id,
    )
    return len(subjects)
