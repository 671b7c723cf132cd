"""Bulk rows through COPY: the fast way in, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg
from psycopg import sql
from sqlalchemy.orm import Session


def raw_connection(session: Session) -> psycopg.Connection[tuple[object, ...]]:
    """The psycopg connection under a session's transaction."""
    driver = session.connection().connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"the session does not run on psycopg but on {type(driver).__name__}")
    return driver


def copy_rows(
    session: Session,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    types: Sequence[str] | None = None,
) -> int:
    """COPY `rows` into `table`; returns how many. Binary when `types` names each column's type."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL("(FORMAT BINARY)" if types else ""),
    )
    count = 0
    with raw_connection(session).cursor() as cursor, cursor.copy(statement) as copy:
        if types:
            copy.set_types(list(types))
        for row in rows:
            copy.write_row(row)
            count += 1
    return count
