"""How much memory each worker holds, told with its heartbeat

Revision: 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("worker", sa.Column("memory_bytes", sa.BigInteger(), nullable=True))
    op.add_column("worker", sa.Column("device_bytes", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("worker", "device_bytes")
    op.drop_column("worker", "memory_bytes")
