"""Of the sources of a pool: how many were replied to, and of how many the child was trained on

Revision: 0012, after 0011.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels = None
depends_on = None

_BEFORE = Path(__file__).parent / "views_0011" / "counts.sql"

_MORE = """
UNION ALL
SELECT iteration.id, 'answered source', augmentation.band,
    count(DISTINCT augmentation.source_instruction_id)
FROM iteration
JOIN augmentation ON augmentation.pool_id = iteration.pool_id
GROUP BY 1, 3
UNION ALL
SELECT iteration.id, 'trained source', augmentation.band, count(*)
FROM iteration
JOIN training_run ON training_run.iteration_id = iteration.id
JOIN training_example AS example
    ON example.training_run_id = training_run.id AND example.reason = 'tuning_pool'
JOIN augmentation ON augmentation.child_id = example.instruction_id
    AND augmentation.pool_id = iteration.pool_id
GROUP BY 1, 3
"""


def upgrade() -> None:
    """Iterations that are counted already get the new counts behind the others."""
    op.execute(_counts() + _MORE)
    op.execute(
        """
        INSERT INTO iteration_count (iteration_id, number, what, label, n)
        SELECT counted.iteration_id,
            counted.last + row_number() OVER (
                PARTITION BY counted.iteration_id ORDER BY live.what, live.label
            ),
            live.what, live.label, live.n
        FROM (SELECT iteration_id, max(number) AS last FROM iteration_count GROUP BY 1) AS counted
        JOIN live_iteration_count AS live ON live.iteration_id = counted.iteration_id
            AND live.what IN ('answered source', 'trained source')
        """
    )


def downgrade() -> None:
    op.execute(_counts())
    op.execute("DELETE FROM iteration_count WHERE what IN ('answered source', 'trained source')")


def _counts() -> str:
    """The view as 0011 made it, first in its file."""
    view = _BEFORE.read_text().split(";\n", 1)[0]
    return view.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)
