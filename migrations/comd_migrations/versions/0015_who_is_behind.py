"""Where the student is behind its teacher, most first, is read off an index

Revision: 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_assessment_behind",
        "assessment",
        ["iteration_id", sa.text("(teacher_score - student_score)"), "instruction_id"],
        postgresql_where=sa.text("student_score < teacher_score"),
    )


def downgrade() -> None:
    op.drop_index("ix_assessment_behind", table_name="assessment")
