"""The revision of reviews up and down on rows that only it can hold."""

from __future__ import annotations

from sqlalchemy import URL, Engine, text

import comd_migrations
from comd_platform.db.engine import make_engine

_BEFORE = (
    "INSERT INTO pool (name, origin, config) VALUES ('seed', 'import', '{}')",
    "INSERT INTO instruction (pool_id, task_type, text, key)"
    " VALUES (1, 'look', 'What?', repeat('a', 64)), (1, 'look', 'Who?', repeat('b', 64))",
)
_REVIEWED = (
    "INSERT INTO review (instruction_id, decision, text, author) VALUES"
    " (1, 'edit', 'What is it?', 'ada'), (2, 'reject', NULL, 'bob')",
    "INSERT INTO instruction (pool_id, parent_id, task_type, text, key)"
    " VALUES (1, 1, 'look', 'What is it?', repeat('c', 64))",
    "INSERT INTO revision (instruction_id, review_id) VALUES (3, 1)",
)


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def instructions(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT text FROM instruction ORDER BY id")).scalars())


def test_up_and_down_on_data(empty_database: URL) -> None:
    engine = make_engine(empty_database)
    comd_migrations.upgrade(engine, "0007")
    run(engine, *_BEFORE)
    comd_migrations.upgrade(engine, "0008")
    run(engine, *_REVIEWED)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT instruction_id, verdict FROM reviewed_instruction ORDER BY 1")
        ).all()
    assert [tuple(row) for row in found] == [(1, "edit"), (2, "reject")]
    comd_migrations.downgrade(engine, "0007")
    # What was corrected stays an instruction like any other; the decisions are gone.
    assert instructions(engine) == ["What?", "Who?", "What is it?"]
    comd_migrations.upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM review")).scalar_one() == 0
    engine.dispose()
