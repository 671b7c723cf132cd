"""What people decided about instructions, and which of it an iteration went by."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from comd_platform.tables.base import Base, CreatedAt, Id, one_of


class Review(Base):
    """One decision of a person about an instruction. Rows are added, never changed or removed.

    `text`: the corrected instruction of an edit. `undoes_id`: the decision that an undo takes back;
    only one of the same author about the same instruction counts. What stands: reviewed_instruction.
    """

    __tablename__ = "review"
    __table_args__ = (
        one_of("decision", "accept", "reject", "edit", "flag", "undo"),
        CheckConstraint("(decision = 'edit') = (text IS NOT NULL)", name="edit_has_text"),
        CheckConstraint("(decision = 'undo') = (undoes_id IS NOT NULL)", name="undo_names_one"),
        CheckConstraint("text <> ''", name="text_not_empty"),
        CheckConstraint("author <> ''", name="author_not_empty"),
        CheckConstraint("undoes_id < id", name="undoes_an_older_one"),
        Index("ix_review_author_id", "author", "id"),
    )

    id: Mapped[Id]
    instruction_id: Mapped[int] = mapped_column(ForeignKey("instruction.id"), index=True)
    decision: Mapped[str]
    text: Mapped[str | None]
    note: Mapped[str | None]
    author: Mapped[str]
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("review.id"), unique=True)
    created_at: Mapped[CreatedAt]


class HonouredReview(Base):
    """A verdict that stood when an iteration began to work on its pool: the iteration goes by it to
    its end, whatever is decided meanwhile. Rejected and edited ones are not tuned on."""

    __tablename__ = "honoured_review"

    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"), primary_key=True)
    instruction_id: Mapped[int] = mapped_column(
        ForeignKey("instruction.id"), primary_key=True, index=True
    )
    review_id: Mapped[int] = mapped_column(ForeignKey("review.id"), index=True)


class Revision(Base):
    """An instruction that a person corrected: born in the next pool, child of the one it corrects."""

    __tablename__ = "revision"

    instruction_id: Mapped[int] = mapped_column(ForeignKey("instruction.id"), primary_key=True)
    review_id: Mapped[int] = mapped_column(ForeignKey("review.id"), index=True)
