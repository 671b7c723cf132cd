"""Many rows in one statement: order, types, NULLs, and rows that are there already."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from comd_platform.db.engine import transaction
from comd_platform.db.insert import insert_new
from comd_platform.tables import Pool

HOSTILE = ["{a,b}", 'say "NULL"', "NULL", "back\\slash", "", "new\nline", "'; DROP TABLE pool; --"]


def stored(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(text("SELECT name, origin FROM pool ORDER BY id"))
        ]


def test_rows_come_in_their_order_and_as_they_were(engine: Engine) -> None:
    with transaction(engine) as session:
        insert_new(session, Pool, [{"name": name, "origin": "import"} for name in HOSTILE])
        insert_new(session, Pool, [])
    assert stored(engine) == [(name, "import") for name in HOSTILE]


def test_what_is_there_stays_and_the_rest_is_added(engine: Engine) -> None:
    with transaction(engine) as session:
        insert_new(session, Pool, [{"name": "b", "origin": "import"}])
    with transaction(engine) as session:
        insert_new(
            session, Pool, [{"name": n, "origin": "bootstrap"} for n in ("a", "b", "c", "c")]
        )
    assert stored(engine) == [("b", "import"), ("a", "bootstrap"), ("c", "bootstrap")]


def test_a_row_that_the_table_refuses_takes_all_of_them_along(engine: Engine) -> None:
    with pytest.raises(IntegrityError, match="origin"), transaction(engine) as session:
        insert_new(
            session, Pool, [{"name": n, "origin": o} for n, o in (("a", "import"), ("b", "?"))]
        )
    assert stored(engine) == []
