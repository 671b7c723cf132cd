"""The teacher's top logits beside its answers, and what a step's loss is made of

Revision: 0014, after 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answer_logits",
        sa.Column("answer_id", sa.BigInteger(), nullable=False),
        sa.Column("top_k", sa.BigInteger(), nullable=False),
        sa.Column("vocabulary", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("data", postgresql.BYTEA(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.CheckConstraint("top_k >= 1", name=op.f("ck_answer_logits_top_k_positive")),
        sa.CheckConstraint("tokens >= 1", name=op.f("ck_answer_logits_tokens_positive")),
        sa.CheckConstraint(
            "vocabulary ~ '^[0-9a-f]{64}$'", name=op.f("ck_answer_logits_vocabulary_hex")
        ),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["answer.id"], name=op.f("fk_answer_logits_answer_id_answer")
        ),
        sa.PrimaryKeyConstraint("answer_id", name=op.f("pk_answer_logits")),
    )
    # Deflated already: PostgreSQL would spend time on it and find nothing.
    op.execute("ALTER TABLE answer_logits ALTER COLUMN data SET STORAGE EXTERNAL")
    op.add_column(
        "training_metric",
        sa.Column(
            "extra",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
    )


def downgrade() -> None:
    op.drop_column("training_metric", "extra")
    op.drop_table("answer_logits")
