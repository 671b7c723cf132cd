"""What the student thinks of its own answers, and branches that share only a part of an iteration

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answer", sa.Column("mean_logprob", sa.Double(), nullable=True))
    op.create_check_constraint(
        op.f("ck_answer_mean_logprob_not_positive"), "answer", "mean_logprob <= 0"
    )
    op.drop_constraint(op.f("ck_run_branch_is_complete"), "run", type_="check")
    op.create_check_constraint(
        op.f("ck_run_base_has_parent"), "run", "base_iteration_id IS NULL OR parent_id IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_run_base_has_parent"), "run", type_="check")
    # A branch that makes its first iteration itself was a run without a parent before.
    op.execute("UPDATE run SET parent_id = NULL WHERE base_iteration_id IS NULL")
    op.create_check_constraint(
        op.f("ck_run_branch_is_complete"),
        "run",
        "(parent_id IS NULL) = (base_iteration_id IS NULL)",
    )
    op.drop_constraint(op.f("ck_answer_mean_logprob_not_positive"), "answer", type_="check")
    op.drop_column("answer", "mean_logprob")
