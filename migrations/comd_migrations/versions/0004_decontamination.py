"""What instructions share with benchmarks: perceptual hashes, hits, and a phase that looks for them

Revision: 0004, after 0003.

Hashes of the pictures that are there already are computed when a run first needs them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None

# table -> the name of its constraint on `phase`
_PHASE_CHECKS = {
    "iteration": "ck_iteration_phase_known",
    "iteration_phase": "ck_iteration_phase_phase_known",
    "work_item": "ck_work_item_phase_known",
    "failure": "ck_failure_phase_known",
}
_BEFORE = "'augment', 'accept', 'label', 'tune', 'answer', 'evaluate', 'judge', 'assess'"
_AFTER = _BEFORE.replace("'label'", "'decontaminate', 'label'")


def upgrade() -> None:
    op.add_column("image", sa.Column("perceptual_hash", sa.BigInteger(), nullable=True))
    op.create_table(
        "contamination",
        sa.Column("iteration_id", sa.BigInteger(), nullable=False),
        sa.Column("instruction_id", sa.BigInteger(), nullable=False),
        sa.Column("benchmark_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("distance", sa.BigInteger(), nullable=True),
        sa.Column("rouge_l", sa.Double(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('same_image', 'near_image', 'near_text')",
            name=op.f("ck_contamination_kind_known"),
        ),
        sa.CheckConstraint(
            "verdict IN ('excluded', 'reported', 'generic')",
            name=op.f("ck_contamination_verdict_known"),
        ),
        sa.CheckConstraint(
            "(kind = 'near_text') = (rouge_l IS NOT NULL)",
            name=op.f("ck_contamination_text_has_rouge_l"),
        ),
        sa.CheckConstraint(
            "(kind = 'near_text') = (distance IS NULL)",
            name=op.f("ck_contamination_image_has_distance"),
        ),
        sa.CheckConstraint(
            "kind = 'near_text' OR verdict <> 'generic'",
            name=op.f("ck_contamination_pictures_are_specific"),
        ),
        sa.CheckConstraint(
            "rouge_l BETWEEN 0 AND 1", name=op.f("ck_contamination_rouge_l_in_range")
        ),
        sa.CheckConstraint(
            "distance BETWEEN 0 AND 64", name=op.f("ck_contamination_distance_in_range")
        ),
        sa.CheckConstraint("items >= 1", name=op.f("ck_contamination_items_positive")),
        sa.ForeignKeyConstraint(
            ["iteration_id"],
            ["iteration.id"],
            name=op.f("fk_contamination_iteration_id_iteration"),
        ),
        sa.ForeignKeyConstraint(
            ["instruction_id"],
            ["instruction.id"],
            name=op.f("fk_contamination_instruction_id_instruction"),
        ),
        sa.ForeignKeyConstraint(
            ["benchmark_id"],
            ["benchmark.id"],
            name=op.f("fk_contamination_benchmark_id_benchmark"),
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["evaluation_item.id"],
            name=op.f("fk_contamination_item_id_evaluation_item"),
        ),
        sa.PrimaryKeyConstraint(
            "iteration_id", "instruction_id", "benchmark_id", "kind", name=op.f("pk_contamination")
        ),
    )
    for column in ("instruction_id", "benchmark_id", "item_id"):
        op.create_index(op.f(f"ix_contamination_{column}"), "contamination", [column])
    _allow_phases(_AFTER)
    view = Path(__file__).parent / "views_0004" / "contaminated_instruction.sql"
    op.execute(view.read_text())


def downgrade() -> None:
    op.execute("DROP VIEW contaminated_instruction")
    op.drop_table("contamination")
    op.drop_column("image", "perceptual_hash")
    # An iteration that stood in the phase goes on with the next one.
    op.execute("UPDATE iteration SET phase = 'label' WHERE phase = 'decontaminate'")
    op.execute("DELETE FROM iteration_phase WHERE phase = 'decontaminate'")
    _allow_phases(_BEFORE)


def _allow_phases(phases: str) -> None:
    for table, name in _PHASE_CHECKS.items():
        known = f"{phases}, 'done'" if table == "iteration" else phases
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, f"phase IN ({known})")
