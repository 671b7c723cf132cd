"""Answer: the tuned student answers all of the cache pool (section 3.3.2).

Where the selection measure reads log-probabilities the student also weighs its own answers.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.ledger import plan_items
from comd_platform.loop.context import Context, answered, cache_pool_ids, quarantined
from comd_platform.tables import Answer, Instruction


def plan(session: Session, context: Context) -> int:
    """Work items for what this student has not answered, or not weighed; returns how many records."""
    done = answered(context.student)
    if context.config.method.measure.needs == "logprobs":
        done = done.where(Answer.mean_logprob.is_not(None))
    subjects = select(Instruction.id).where(
        Instruction.id.in_(cache_pool_ids(context.pool_id)),
        ~done,
        ~quarantined(context, "answer"),
    )
    return plan_items(
        session,
        iteration_id=context.iteration_id,
        phase="answer",
        role="student",
        subjects=subjects,
        order=Instruction.key,
        batch=context.config.student.batch,
        model_id=context.student,
    )
