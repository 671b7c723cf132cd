"""The formats that a pool can be exported to. Another one is a file and a line here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from comd_platform.errors import ComdError
from comd_platform.exporters.llava import Layout, Record, llava_records
from comd_platform.exporters.rows import Row


class ExportError(ComdError):
    """A pool that cannot be exported as asked."""


class ToRecords(Protocol):
    """From the instructions of one picture to records, each of which JSON can hold."""

    def __call__(self, rows: Sequence[Row], *, layout: Layout, seed: int) -> Iterator[Record]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """An export format: what the command line calls it, one line for its help, and its records."""

    name: str
    description: str
    records: ToRecords


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (Format("llava", "LLaVA conversations, JSON (or JSONL by suffix)", llava_records),)
}


def find_format(name: str) -> Format:
    """The format called `name`. Raises ExportError for one that is not registered."""
    try:
        return FORMATS[name]
    except KeyError:
        known = ", ".join(sorted(FORMATS))
        raise ExportError(f"there is no format {name!r}", hint=f"Known formats: {known}.") from None
