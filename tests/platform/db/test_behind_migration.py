"""The index of where the student is behind, up and down on assessments."""

from __future__ import annotations

from sqlalchemy import URL, text

import comd_migrations
from comd_platform.db.engine import make_engine

SCORES = "SELECT instruction_id, teacher_score, student_score FROM assessment ORDER BY 1"


def test_up_and_down_on_data(empty_database: URL) -> None:
    engine = make_engine(empty_database)
    comd_migrations.upgrade(engine, "0014")
    with engine.begin() as connection:
        # What they belong to is of no matter to an index.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text(
                "INSERT INTO assessment (iteration_id, instruction_id, teacher_score, student_score)"
                " VALUES (1, 1, 9, 3), (1, 2, 5, 5), (1, 3, NULL, NULL)"
            )
        )
    comd_migrations.upgrade(engine, "0015")
    comd_migrations.downgrade(engine, "0014")
    comd_migrations.upgrade(engine, "0015")
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(SCORES))]
        indexed = connection.scalar(
            text("SELECT count(*) FROM pg_indexes WHERE indexname = 'ix_assessment_behind'")
        )
    assert found == [(1, 9, 3), (2, 5, 5), (3, None, None)]
    assert indexed == 1
    engine.dispose()
