"""One statement that only reads, its rows streamed: what `comd sql` runs."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg
from sqlalchemy import Engine

from comd_platform.errors import ComdError


class SqlError(ComdError):
    """A statement that PostgreSQL refused, or that would have written."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a statement gives; `rows` is read once, while the connection is open."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[object, ...]]


@contextmanager
def ask(engine: Engine, statement: str) -> Iterator[Reply]:
    """Run one statement on an engine of `reader.reader_engine`; rows stream, so memory does not grow.

    Raises SqlError, which says where the statement is wrong.
    """
    if not statement.strip().strip(";"):
        raise SqlError("the statement is empty", hint="comd sql 'SELECT …', or comd sql for psql.")
    with engine.connect() as connection:
        connection.begin()  # read-only, with the reader's timeout
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        try:
            # stream() speaks the extended protocol, which takes a single statement: the server refuses
            # "COMMIT; DROP …", which would leave the read-only transaction. It holds the connection
            # until it is closed, so it is closed before the transaction ends.
            with raw.cursor() as cursor, closing(_stream(cursor, statement)) as rows:
                first = next(rows, None)
                if first is None:  # psycopg tells no columns of an empty stream
                    cursor.execute(statement.encode(), prepare=True)
                columns = tuple(column.name for column in cursor.description or ())
                yield Reply(columns, rows if first is None else itertools.chain([first], rows))
        except psycopg.Error as error:
            raise _explained(error, statement) from error


def _stream(
    cursor: psycopg.Cursor[tuple[object, ...]], statement: str
) -> Generator[tuple[object, ...], None, None]:
    # psycopg promises an iterator only; a generator of our own can be closed, and closes it in turn.
    yield from cursor.stream(statement.encode())


def _explained(error: psycopg.Error, statement: str) -> SqlError:
    said = error.diag.message_primary or str(error).strip()
    if isinstance(
        error, psycopg.errors.ReadOnlySqlTransaction | psycopg.errors.InsufficientPrivilege
    ):
        return SqlError(f"{said}: comd sql only reads", hint="comd sql without a statement: psql.")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return SqlError(said, hint="--timeout gives it longer.")
    place = error.diag.statement_position
    if place is not None:
        before = statement[: int(place) - 1]
        line = before.count("\n")
        column = len(before) - (before.rfind("\n") + 1)
        said += f"\n  {statement.splitlines()[line]}\n  {' ' * column}^"
    return SqlError(said, hint=error.diag.message_hint or "comd schema lists tables and columns.")
