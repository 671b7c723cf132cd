"""Augment: every chosen source gets one new instruction written after it (section 3.3.3)."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from comd_platform.ledger import plan_items
from comd_platform.loop.context import Context, quarantined
from comd_platform.tables import Augmentation, Instruction, Selection


def plan(session: Session, context: Context) -> int:
    """Work items for the sources that the augmentor has not answered; returns how many sources."""
    written = exists().where(
        Augmentation.source_instruction_id == Instruction.id,
        Augmentation.pool_id == context.pool_id,
        Augmentation.augmentor_id == context.augmentor_model_id,
    )
    subjects = (
        select(Selection.instruction_id)
        .join(Instruction, Instruction.id == Selection.instruction_id)
        .where(
            Selection.pool_id == context.pool_id,
            ~written,
            ~quarantined(context, "augment"),
        )
    )
    return plan_items(
        session,
        iteration_id=context.iteration_id,
        phase="augment",
        role="augmentor",
        subjects=subjects,
        order=Instruction.key,
        batch=context.config.augmentor.batch,
        model_id=context.augmentor_model_id,
    )
