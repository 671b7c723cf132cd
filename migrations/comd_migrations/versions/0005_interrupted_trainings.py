"""How a training ended, by name, and from which step it can be resumed

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None

_STATES = "state IN ('planned', 'running', {}'done', 'failed')"


def upgrade() -> None:
    op.add_column("training_run", sa.Column("failure_kind", sa.Text(), nullable=True))
    op.add_column("training_run", sa.Column("saved_step", sa.BigInteger(), nullable=True))
    op.execute("UPDATE training_run SET failure_kind = 'crashed' WHERE state = 'failed'")
    _states(_STATES.format("'stopped', "))
    op.create_check_constraint(
        op.f("ck_training_run_failed_has_kind"),
        "training_run",
        "(state = 'failed') = (failure_kind IS NOT NULL)",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_training_run_failed_has_kind"), "training_run", type_="check")
    op.execute("UPDATE training_run SET state = 'planned' WHERE state = 'stopped'")
    _states(_STATES.format(""))
    op.drop_column("training_run", "saved_step")
    op.drop_column("training_run", "failure_kind")


def _states(rule: str) -> None:
    op.drop_constraint(op.f("ck_training_run_state_known"), "training_run", type_="check")
    op.create_check_constraint(op.f("ck_training_run_state_known"), "training_run", rule)
