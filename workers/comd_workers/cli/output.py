"""How the command line speaks: plain where piped, coloured where read, JSON where asked."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from comd_platform.errors import ComdError
from comd_platform.plain import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_error(error: ComdError) -> None:
    """What happened, and what to do next; on stderr, no traceback."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("error:", style="bold red", end=" ")
    console.print(plain(error), markup=False)
    if error.hint:
        console.print(f"  {plain(error.hint)}", markup=False, style="dim")


def print_json(value: Any) -> None:
    """One JSON document on stdout; dataclasses become objects."""
    sys.stdout.write(json.dumps(value, default=_plain, indent=2, ensure_ascii=False) + "\n")


def print_json_line(value: Any) -> None:
    """One JSON document on a line of its own, at once: what a reader of a pipe can follow."""
    sys.stdout.write(json_text(value) + "\n")
    sys.stdout.flush()


def json_text(value: Any) -> str:
    """One line of JSON; times are ISO 8601, intervals seconds, decimals numbers."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def table(
    title: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]], *, left: int = 1
) -> None:
    """A table on stdout; the first `left` columns are words, the others numbers."""
    console = console_for_people()
    if title is not None:
        console.print(title, style="bold", markup=False, soft_wrap=True)
    console.print(build_table(columns, rows, left=left))


def build_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, left: int = 1
) -> Table:
    """The same, to be printed as part of something."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        made.add_column(column, justify="left" if number < left else "right", overflow="fold")
    for row in rows:
        made.add_row(*(Text(show(cell)) for cell in row))
    return made


def console_for_people(*, stderr: bool = False) -> Console:
    """Stdout as wide as the terminal; wide enough for every table where there is none."""
    from rich.console import Console

    console = Console(highlight=False, stderr=stderr)
    return console if console.is_terminal else Console(highlight=False, width=160, stderr=stderr)


def show(value: object) -> str:
    """A cell: numbers grouped, shares and scores short, nothing for nothing, text seen as it is."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}"
    return plain(value)


def percent(share: float | None) -> str:
    """0.1234 as 12.3 %."""
    return "-" if share is None else f"{100 * share:.1f} %"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 42 s, 3:07, 1:02:03."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date | time | Path | UUID):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
