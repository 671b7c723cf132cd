"""What an iteration's pool, sources, replies and training came to, counted once its phases are closed;
the forest of all lineages as a view

Revision: 0011, after 0010.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels = None
depends_on = None

_HERE = Path(__file__).parent


def upgrade() -> None:
    """Iterations whose assess phase is closed are counted here."""
    op.create_table(
        "iteration_count",
        sa.Column("iteration_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["iteration_id"],
            ["iteration.id"],
            name=op.f("fk_iteration_count_iteration_id_iteration"),
        ),
        sa.PrimaryKeyConstraint("iteration_id", "number", name=op.f("pk_iteration_count")),
    )
    op.execute((_HERE / "views_0011" / "counts.sql").read_text())
    op.execute((_HERE / "views_0011" / "forest.sql").read_text())
    op.execute("DROP VIEW iteration_summary")
    op.execute((_HERE / "views_0011" / "iteration_summary.sql").read_text())
    op.execute(
        """
        INSERT INTO iteration_count (iteration_id, number, what, label, n)
        SELECT live.iteration_id, row_number() OVER (
            PARTITION BY live.iteration_id ORDER BY live.what, live.label
        ), live.what, live.label, live.n
        FROM live_iteration_count AS live
        JOIN iteration_phase AS phase ON phase.iteration_id = live.iteration_id
            AND phase.phase = 'assess' AND phase.finished_at IS NOT NULL
        """
    )


def downgrade() -> None:
    op.execute("DROP VIEW iteration_summary, judge_health, forest")
    # 0010 made the other functions and views in the same file.
    op.execute(
        "DROP FUNCTION count_cells(bigint), assessment_cells(bigint), judgement_cells(bigint)"
    )
    op.execute("DROP VIEW live_assessment_cell, live_judgement_cell")
    op.execute((_HERE / "views_0010" / "cells.sql").read_text())
    for view in ("iteration_summary", "judge_health"):
        op.execute((_HERE / "views_0010" / f"{view}.sql").read_text())
    op.execute("DROP FUNCTION iteration_counts(bigint)")
    op.execute("DROP VIEW live_iteration_count")
    op.drop_table("iteration_count")
