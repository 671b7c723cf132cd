"""Label: the teacher answers every instruction that the student is about to be tuned on."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.ledger import plan_items
from comd_platform.loop.context import Context, answered, cache_pool_ids, has_logits, quarantined
from comd_platform.loop.tuning_set import tuning_set
from comd_platform.tables import Instruction


def plan(session: Session, context: Context) -> int:
    """Work items for what the teacher has not answered yet, in any run, or answered without the logits
    that the objective reads; returns how many records."""
    teacher = context.teacher_model_id
    tuned = among(Instruction.id, tuning_set(session, context))
    wanted = tuned
    lacking = ~answered(teacher)
    top_k = context.config.training.objective.stored_top_k
    if top_k is not None:
        lacking |= tuned & ~has_logits(teacher, top_k)
    if context.config.method.measure.needs == "judgements":
        # Another teacher than the parent iteration's has the whole cache pool to answer.
        wanted |= Instruction.id.in_(cache_pool_ids(context.pool_id))
    subjects = select(Instruction.id).where(
        wanted,
        lacking,
        ~quarantined(context, "label"),
    )
    return plan_items(
        session,
        iteration_id=context.iteration_id,
        phase="label",
        role="teacher",
        subjects=subjects,
        order=Instruction.key,
        batch=context.config.teacher.batch,
        model_id=context.teacher_model_id,
    )
