"""A statement that reads, and every way of writing that is not one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from comd_platform.db.asking import SqlError, ask
from comd_platform.db.reader import reader_engine
from comd_platform.settings import Settings


@pytest.fixture
def pools(engine: Engine, settings: Settings) -> Iterator[Engine]:
    """A reader's engine on three pools, as their owner: only the transaction protects them."""
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO pool (name, origin) SELECT n, 'import' FROM generate_series(1, 3) n")
        )
    reader = reader_engine(settings)
    yield reader
    reader.dispose()


def test_rows_and_columns(pools: Engine) -> None:
    with ask(pools, "SELECT name, '100 %' AS share FROM pool ORDER BY id") as reply:
        assert reply.columns == ("name", "share")
        assert list(reply.rows) == [("1", "100 %"), ("2", "100 %"), ("3", "100 %")]
    with ask(pools, "SELECT id FROM pool WHERE false") as reply:
        assert (reply.columns, list(reply.rows)) == (("id",), [])
    with ask(pools, "EXPLAIN SELECT 1") as reply:
        assert reply.columns == ("QUERY PLAN",)


def test_an_answer_may_be_left_unread(pools: Engine) -> None:
    with ask(pools, "SELECT * FROM generate_series(1, 1000000)") as reply:
        assert next(reply.rows) == (1,)
    with ask(pools, "SELECT 1") as reply:  # the same pooled connection, usable again
        assert list(reply.rows) == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM pool",
        "WITH gone AS (DELETE FROM pool RETURNING id) SELECT * FROM gone",
        "COMMIT; DELETE FROM pool",
        "SET TRANSACTION READ WRITE",
        "DO $$ BEGIN COMMIT; DELETE FROM pool; END $$",
        "CREATE TABLE mine (x int)",
        "EXPLAIN ANALYZE DELETE FROM pool",
        " ; ",
    ],
)
def test_nothing_is_changed(pools: Engine, statement: str) -> None:
    with pytest.raises(SqlError), ask(pools, statement):
        pass
    with pools.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pool")).scalar_one() == 3


def test_an_error_in_the_middle_of_the_rows(pools: Engine) -> None:
    with (
        pytest.raises(SqlError, match="division by zero"),
        ask(pools, "SELECT 1 / (3 - n) FROM generate_series(1, 3) AS n") as reply,
    ):
        list(reply.rows)
