"""What people decide about instructions, which of it an iteration went by, and what was corrected

Revision: 0008, after 0007.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels = None
depends_on = None

_VIEWS = ("reviewed_instruction", "set_aside_instruction")


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("instruction_id", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("undoes_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.CheckConstraint(
            "decision IN ('accept', 'reject', 'edit', 'flag', 'undo')",
            name=op.f("ck_review_decision_known"),
        ),
        sa.CheckConstraint(
            "(decision = 'edit') = (text IS NOT NULL)", name=op.f("ck_review_edit_has_text")
        ),
        sa.CheckConstraint(
            "(decision = 'undo') = (undoes_id IS NOT NULL)", name=op.f("ck_review_undo_names_one")
        ),
        sa.CheckConstraint("text <> ''", name=op.f("ck_review_text_not_empty")),
        sa.CheckConstraint("author <> ''", name=op.f("ck_review_author_not_empty")),
        sa.CheckConstraint("undoes_id < id", name=op.f("ck_review_undoes_an_older_one")),
        sa.ForeignKeyConstraint(
            ["instruction_id"],
            ["instruction.id"],
            name=op.f("fk_review_instruction_id_instruction"),
        ),
        sa.ForeignKeyConstraint(
            ["undoes_id"], ["review.id"], name=op.f("fk_review_undoes_id_review")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_review_undoes_id")),
    )
    op.create_index(op.f("ix_review_instruction_id"), "review", ["instruction_id"])
    op.create_index("ix_review_author_id", "review", ["author", "id"])
    op.create_table(
        "honoured_review",
        sa.Column("iteration_id", sa.BigInteger(), nullable=False),
        sa.Column("instruction_id", sa.BigInteger(), nullable=False),
        sa.Column("review_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["iteration_id"],
            ["iteration.id"],
            name=op.f("fk_honoured_review_iteration_id_iteration"),
        ),
        sa.ForeignKeyConstraint(
            ["instruction_id"],
            ["instruction.id"],
            name=op.f("fk_honoured_review_instruction_id_instruction"),
        ),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], name=op.f("fk_honoured_review_review_id_review")
        ),
        sa.PrimaryKeyConstraint("iteration_id", "instruction_id", name=op.f("pk_honoured_review")),
    )
    for column in ("instruction_id", "review_id"):
        op.create_index(op.f(f"ix_honoured_review_{column}"), "honoured_review", [column])
    op.create_table(
        "revision",
        sa.Column("instruction_id", sa.BigInteger(), nullable=False),
        sa.Column("review_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instruction_id"],
            ["instruction.id"],
            name=op.f("fk_revision_instruction_id_instruction"),
        ),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], name=op.f("fk_revision_review_id_review")
        ),
        sa.PrimaryKeyConstraint("instruction_id", name=op.f("pk_revision")),
    )
    op.create_index(op.f("ix_revision_review_id"), "revision", ["review_id"])
    for name in _VIEWS:
        op.execute((Path(__file__).parent / "views_0008" / f"{name}.sql").read_text())


def downgrade() -> None:
    # Corrected instructions stay: they may have been answered and tuned on.
    for name in reversed(_VIEWS):
        op.execute(f"DROP VIEW {name}")
    for table in ("revision", "honoured_review", "review"):
        op.drop_table(table)
