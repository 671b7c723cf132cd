"""Tokens and cost of every reply, and what each work item asked for in all

Revision: 0002, after 0001.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

# Answers have had their tokens from the first; the others get them here, unknown ones as 0.
_NEW_TOKENS = ("augmentation", "evaluation_score", "judgement")
_REPLIES = ("answer", *_NEW_TOKENS)
_CHECKS = {
    "tokens_not_negative": "prompt_tokens >= 0 AND completion_tokens >= 0",
    "cached_within_prompt": "cached_tokens BETWEEN 0 AND prompt_tokens",
    "cost_not_negative": "cost >= 0",
}


def upgrade() -> None:
    for table in _REPLIES:
        names = ["cached_tokens"]
        if table in _NEW_TOKENS:
            names += ["prompt_tokens", "completion_tokens"]
        for name in names:
            op.add_column(table, _tokens(name))
        op.add_column(table, sa.Column("cost", sa.Double(), nullable=True))
        for name in _new_checks(table):
            op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, _CHECKS[name])
    op.create_table(
        "usage",
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        _tokens("prompt_tokens"),
        _tokens("completion_tokens"),
        _tokens("cached_tokens"),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.CheckConstraint("requests > 0", name=op.f("ck_usage_asked_something")),
        *(
            sa.CheckConstraint(rule, name=op.f(f"ck_usage_{name}"))
            for name, rule in _CHECKS.items()
        ),
        sa.ForeignKeyConstraint(
            ["work_item_id"], ["work_item.id"], name=op.f("fk_usage_work_item_id_work_item")
        ),
        sa.PrimaryKeyConstraint("work_item_id", name=op.f("pk_usage")),
    )
    op.execute((Path(__file__).parent / "views_0002" / "usage_summary.sql").read_text())


def downgrade() -> None:
    op.execute("DROP VIEW usage_summary")
    op.drop_table("usage")
    for table in _REPLIES:
        for name in _new_checks(table):
            op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
        op.drop_column(table, "cost")
        op.drop_column(table, "cached_tokens")
        if table in _NEW_TOKENS:
            op.drop_column(table, "completion_tokens")
            op.drop_column(table, "prompt_tokens")


def _tokens(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def _new_checks(table: str) -> list[str]:
    return [name for name in _CHECKS if table in _NEW_TOKENS or name != "tokens_not_negative"]
