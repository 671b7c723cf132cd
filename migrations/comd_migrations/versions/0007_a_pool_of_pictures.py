"""A pool may hold pictures alone: what an images-only run writes its first questions about

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pool_image",
        sa.Column("pool_id", sa.BigInteger(), nullable=False),
        sa.Column("image_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_pool_image_pool_id_pool")),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_pool_image_image_id_image")
        ),
        sa.PrimaryKeyConstraint("pool_id", "image_id", name=op.f("pk_pool_image")),
    )
    op.create_index(op.f("ix_pool_image_image_id"), "pool_image", ["image_id"])


def downgrade() -> None:
    op.drop_table("pool_image")
