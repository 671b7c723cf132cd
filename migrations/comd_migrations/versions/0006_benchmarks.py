"""Benchmarks with choices and judges, and fine-tuning beside the chain of iterations

Revision: 0006, after 0005.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels = None
depends_on = None

_SIDE = "SELECT id FROM training_run WHERE iteration_id IS NULL"
_JUDGED = "SELECT id FROM evaluation WHERE assessor_id IS NOT NULL OR subject = 'fine_tuned'"


def upgrade() -> None:
    op.add_column("evaluation_item", sa.Column("choices", postgresql.JSONB(), nullable=True))
    op.add_column("evaluation_item", sa.Column("context", sa.Text(), nullable=True))
    op.add_column("evaluation", sa.Column("assessor_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_evaluation_assessor_id_model"), "evaluation", "model", ["assessor_id"], ["id"]
    )
    op.create_index(op.f("ix_evaluation_assessor_id"), "evaluation", ["assessor_id"])
    op.drop_constraint(op.f("uq_evaluation_benchmark_id_model_id"), "evaluation", type_="unique")
    op.create_unique_constraint(
        op.f("uq_evaluation_benchmark_id_model_id_assessor_id"),
        "evaluation",
        ["benchmark_id", "model_id", "assessor_id"],
        postgresql_nulls_not_distinct=True,
    )
    _one_of("evaluation", "subject", "teacher", "student", "fine_tuned")
    op.add_column("evaluation_score", sa.Column("choice", sa.BigInteger(), nullable=True))
    op.add_column("evaluation_score", sa.Column("reference_score", sa.Double(), nullable=True))
    op.alter_column("evaluation_score", "score", nullable=True)
    op.create_check_constraint(
        op.f("ck_evaluation_score_reference_score_in_range"),
        "evaluation_score",
        "reference_score > 0 AND reference_score <= 1",
    )
    _create_review()
    op.alter_column("training_run", "iteration_id", nullable=True)
    op.add_column("training_run", sa.Column("pool_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_training_run_pool_id_pool"), "training_run", "pool", ["pool_id"], ["id"]
    )
    op.create_index(op.f("ix_training_run_pool_id"), "training_run", ["pool_id"])
    op.create_check_constraint(
        op.f("ck_training_run_iteration_or_side_branch"),
        "training_run",
        "num_nonnulls(iteration_id, pool_id) = 1",
    )
    _one_of("training_example", "reason", "tuning_pool", "accumulated", "replayed", "fine_tuning")
    _view("evaluation_summary", "views_0006")
    op.execute((Path(__file__).parent / "views_0006" / "answered_item.sql").read_text())


def downgrade() -> None:
    """What only this revision can hold (judged and fine-tuned evaluations) is gone."""
    op.execute("DROP VIEW answered_item")
    items = f"SELECT id FROM work_item WHERE evaluation_id IN ({_JUDGED})"
    op.execute(f"DELETE FROM usage WHERE work_item_id IN ({items})")
    op.execute(f"DELETE FROM work_item WHERE evaluation_id IN ({_JUDGED})")
    op.drop_table("evaluation_review")
    op.execute(f"DELETE FROM failure WHERE evaluation_id IN ({_JUDGED})")
    op.execute(f"DELETE FROM evaluation_score WHERE score IS NULL OR evaluation_id IN ({_JUDGED})")
    op.execute(f"DELETE FROM evaluation WHERE id IN ({_JUDGED})")
    op.execute(
        "DELETE FROM model WHERE checkpoint_id IN"
        f" (SELECT id FROM checkpoint WHERE training_run_id IN ({_SIDE}))"
    )
    for table in ("checkpoint", "training_metric", "training_example"):
        op.execute(f"DELETE FROM {table} WHERE training_run_id IN ({_SIDE})")
    op.execute("DELETE FROM training_run WHERE iteration_id IS NULL")
    _one_of("training_example", "reason", "tuning_pool", "accumulated", "replayed")
    op.drop_constraint(
        op.f("ck_training_run_iteration_or_side_branch"), "training_run", type_="check"
    )
    op.drop_column("training_run", "pool_id")
    op.alter_column("training_run", "iteration_id", nullable=False)
    _view("evaluation_summary", "views_0001")
    op.alter_column("evaluation_score", "score", nullable=False)
    op.drop_column("evaluation_score", "reference_score")
    op.drop_column("evaluation_score", "choice")
    _one_of("evaluation", "subject", "teacher", "student")
    op.drop_column("evaluation", "assessor_id")
    op.create_unique_constraint(
        op.f("uq_evaluation_benchmark_id_model_id"), "evaluation", ["benchmark_id", "model_id"]
    )
    op.drop_column("evaluation_item", "context")
    op.drop_column("evaluation_item", "choices")


def _create_review() -> None:
    known = {
        "position_known": "position IN ('reference_first', 'candidate_first')",
        "status_known": "status IN ('read', 'clamped', 'unreadable')",
        "read_has_scores": "(status = 'unreadable') = (reference_score IS NULL)"
        " AND (reference_score IS NULL) = (candidate_score IS NULL)",
        "scores_in_range": "reference_score BETWEEN 1 AND 10 AND candidate_score BETWEEN 1 AND 10",
        "tokens_not_negative": "prompt_tokens >= 0 AND completion_tokens >= 0",
        "cached_within_prompt": "cached_tokens BETWEEN 0 AND prompt_tokens",
        "cost_not_negative": "cost >= 0",
    }
    op.create_table(
        "evaluation_review",
        sa.Column("evaluation_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("reference_score", sa.Double(), nullable=True),
        sa.Column("candidate_score", sa.Double(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        *(
            sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
            for name in ("prompt_tokens", "completion_tokens", "cached_tokens")
        ),
        sa.Column("cost", sa.Double(), nullable=True),
        *(
            sa.CheckConstraint(rule, name=op.f(f"ck_evaluation_review_{name}"))
            for name, rule in known.items()
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_id", "item_id"],
            ["evaluation_score.evaluation_id", "evaluation_score.item_id"],
            name=op.f("fk_evaluation_review_evaluation_id_evaluation_score"),
        ),
        sa.PrimaryKeyConstraint(
            "evaluation_id", "item_id", "position", "attempt", name=op.f("pk_evaluation_review")
        ),
    )


def _one_of(table: str, column: str, *values: str) -> None:
    name = op.f(f"ck_{table}_{column}_known")
    quoted = ", ".join(f"'{value}'" for value in values)
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({quoted})")


def _view(name: str, folder: str) -> None:
    op.execute(f"DROP VIEW {name}")
    op.execute((Path(__file__).parent / folder / f"{name}.sql").read_text())
