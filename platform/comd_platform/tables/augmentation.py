"""How a pool came out of the one before it: what was chosen, what was written, what was kept."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from comd_platform.tables.base import Base, CreatedAt, Id, one_of
from comd_platform.tables.spending import Spent, spent_checks


class Selection(Base):
    """An instruction chosen as a source for the pool, and as which kind (section 3.3.3)."""

    __tablename__ = "selection"
    __table_args__ = (
        one_of("band", "difficult", "easy", "random"),
        Index("ix_selection_instruction_id", "instruction_id"),
    )

    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), primary_key=True)
    instruction_id: Mapped[int] = mapped_column(ForeignKey("instruction.id"), primary_key=True)
    band: Mapped[str]
    score: Mapped[float | None] = mapped_column(Double)


class Augmentation(Spent, Base):
    """One reply of the augmentor, accepted or not: the lineage edge with its evidence."""

    __tablename__ = "augmentation"
    __table_args__ = (
        UniqueConstraint("pool_id", "source_instruction_id", "augmentor_id", "attempt"),
        one_of("band", "difficult", "easy", "random"),
        one_of("status", "generated", "accepted", "rejected"),
        CheckConstraint("attempt >= 1", name="attempt_positive"),
        CheckConstraint("rouge_l BETWEEN 0 AND 1", name="rouge_l_in_range"),
        CheckConstraint(
            "(status = 'accepted') = (child_id IS NOT NULL)", name="accepted_has_child"
        ),
        CheckConstraint("(status = 'rejected') = (reason IS NOT NULL)", name="rejected_has_reason"),
        CheckConstraint("status = 'rejected' OR text IS NOT NULL", name="candidate_has_text"),
        Index("ix_augmentation_source_instruction_id", "source_instruction_id"),
        *spent_checks(),
    )

    id: Mapped[Id]
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"))
    source_instruction_id: Mapped[int] = mapped_column(ForeignKey("instruction.id"))
    augmentor_id: Mapped[int] = mapped_column(ForeignKey("model.id"), index=True)
    band: Mapped[str]
    attempt: Mapped[int]
    raw: Mapped[str]
    text: Mapped[str | None]
    status: Mapped[str]
    reason: Mapped[str | None]
    rouge_l: Mapped[float | None] = mapped_column(Double)
    nearest_id: Mapped[int | None] = mapped_column(ForeignKey("instruction.id"), index=True)
    child_id: Mapped[int | None] = mapped_column(ForeignKey("instruction.id"), unique=True)
    created_at: Mapped[CreatedAt]
