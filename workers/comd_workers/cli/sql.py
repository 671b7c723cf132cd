"""`comd sql`: psql, or one question with its answer as a table, CSV or JSON."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Iterable, Sequence, Sized
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from comd_platform.plain import plain
from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson
from comd_workers.cli.output import console_for_people, json_text


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SQL statement that reads; none: open psql.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the statement from this file.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    as_json: AsJson = False,
    limit: Annotated[
        int, typer.Option("--rows", min=1, help="At most so many rows in a table.")
    ] = 200,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds for the statement; 0: no limit.")
    ] = 0.0,
) -> None:
    """Ask the database: tables and views are in `comd schema`, questions to start from in docs/sql.md.

    A statement runs as a user who may only read (see `comd db grant-reader`), so nothing is changed by
    mistake; psql, which opens without one, may write. A statement may also come on stdin.
    """
    from comd_platform.db.asking import ask
    from comd_platform.db.reader import reader_engine

    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    statement = _statement(query, file)
    with database() as (_, settings):
        pass  # started and migrated before it is asked
    if statement is None:
        from comd_workers.cli.psql import open_psql

        open_psql()
    reader = reader_engine(settings, statement_timeout_s=timeout)
    with ask(reader, statement) as answer:
        if as_json:
            _print_json(answer.columns, answer.rows)
        elif as_csv:
            _print_csv(answer.columns, answer.rows)
        else:
            _print_table(answer.columns, answer.rows, limit)
    reader.dispose()


def _statement(query: str | None, file: Path | None) -> str | None:
    """The statement, wherever it was given; None where psql is to be opened."""
    if query is not None and file is not None:
        raise typer.BadParameter("give a statement or --file, not both")
    if query is not None:
        return query
    if file is not None:
        return file.read_text(encoding="utf-8")
    return None if sys.stdin.isatty() else sys.stdin.read()


def _print_json(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """An array of objects, written as it comes."""
    separator = "[\n  "
    for row in rows:
        sys.stdout.write(separator + json_text(dict(zip(columns, row, strict=True))))
        separator = ",\n  "
    sys.stdout.write("[]\n" if separator.startswith("[") else "\n]\n")


def _print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Nulls are empty; lists and documents are JSON."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(json_text(cell) if isinstance(cell, list | dict) else cell for cell in row)


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], limit: int) -> None:
    from rich.table import Table
    from rich.text import Text

    reading = iter(rows)
    shown = list(itertools.islice(reading, limit))
    made = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        numeric = any(_is_number(row[number]) for row in shown)
        made.add_column(
            Text(plain(column)), justify="right" if numeric else "left", overflow="fold"
        )
    for row in shown:
        made.add_row(*(Text(_cell(value)) for value in row))
    console = console_for_people()
    console.print(made)
    more = next(reading, None) is not None
    count = f"the first {limit:,} rows; --rows N shows more, --csv all" if more else _rows(shown)
    console.print(f"({count})", style="dim", markup=False)


def _rows(shown: Sized) -> str:
    return "1 row" if len(shown) == 1 else f"{len(shown):,} rows"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: object) -> str:
    """A cell to read. Numbers are not grouped: an id is there to be pasted."""
    if value is None:
        return ""
    if isinstance(value, float | Decimal):
        number = float(value)  # a Decimal would write its zeros: 0e-20
        return f"{number:.4g}" if -1000 < number < 1000 else f"{number:.0f}"
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    if isinstance(value, dict):
        return plain(json.dumps(value, ensure_ascii=False))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return plain(value)
