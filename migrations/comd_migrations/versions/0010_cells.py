"""What a closed assess phase came to, counted once: reports no longer read millions of rows

Revision: 0010, after 0009.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels = None
depends_on = None

_HERE = Path(__file__).parent
_DIFFICULTY = "(abs(student_score - teacher_score) + 1) / greatest(student_score, teacher_score)"
_VIEWS = ("judge_health", "iteration_summary")


def upgrade() -> None:
    """Iterations whose assess phase is closed are counted here: minutes for millions of judgements."""
    _create(
        "assessment_cell",
        sa.Column("task_type", sa.Text(), nullable=False),
        sa.Column("teacher_score", sa.Double(), nullable=True),
        sa.Column("student_score", sa.Double(), nullable=True),
        sa.Column("difficulty", sa.Double(), sa.Computed(_DIFFICULTY, persisted=True)),
        sa.Column("flags", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("instructions", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("instructions > 0", name=op.f("ck_assessment_cell_not_empty")),
    )
    _create(
        "judgement_cell",
        *(
            sa.Column(f"{who}_score_{order}", sa.Double(), nullable=True)
            for order in (1, 2)
            for who in ("teacher", "student")
        ),
        sa.Column("clamped", sa.Boolean(), nullable=False),
        sa.Column("pairs", sa.BigInteger(), nullable=False),
        sa.Column("replies", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("pairs > 0", name=op.f("ck_judgement_cell_not_empty")),
    )
    op.execute((_HERE / "views_0010" / "cells.sql").read_text())
    for view in _VIEWS:
        _replace(view, "views_0010")
    op.execute(
        "SELECT count_cells(iteration_id) FROM iteration_phase"
        " WHERE phase = 'assess' AND finished_at IS NOT NULL"
    )


def downgrade() -> None:
    for view in _VIEWS:
        _replace(view, "views_0001")
    for function in ("count_cells", "assessment_cells", "judgement_cells"):
        op.execute(f"DROP FUNCTION {function}(bigint)")
    op.execute("DROP VIEW live_assessment_cell, live_judgement_cell")
    op.drop_table("assessment_cell")
    op.drop_table("judgement_cell")


def _create(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("iteration_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["iteration_id"], ["iteration.id"], name=op.f(f"fk_{name}_iteration_id_iteration")
        ),
        sa.PrimaryKeyConstraint("iteration_id", "number", name=op.f(f"pk_{name}")),
    )


def _replace(view: str, folder: str) -> None:
    op.execute(f"DROP VIEW {view}")
    op.execute((_HERE / folder / f"{view}.sql").read_text())
