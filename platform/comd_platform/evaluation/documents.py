"""JSON as other people's scripts leave it: a document, one object a line, or objects between commas."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from comd_platform.errors import ComdError

Row = Mapping[str, Any]


class UnreadableFile(ComdError):
    """A file that holds no JSON that can be made out."""


class Repeats(dict[str, Any]):
    """An object with keys that stand in it more than once; `repeated` counts the superseded ones."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.repeated = {key: count - 1 for key, count in counts.items() if count > 1}


def read_document(path: Path) -> Any:
    """What the file holds: one value, or a list where there are several.

    Read are a JSON document, JSON lines, and objects one after the other with or without commas
    between them. Raises UnreadableFile, naming the line.
    """
    text = _read_text(path)
    values = list(_values(path, text))
    return values[0] if len(values) == 1 else values


def read_rows(path: Path) -> list[Row]:
    """The objects of a file that is a list of them, in any of the forms above."""
    document = read_document(path)
    rows = document if isinstance(document, list) else [document]
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise UnreadableFile(f"{path}: record {number} is no object, but {_brief(row)}")
    return rows


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    return list(csv.DictReader(_read_text(path).splitlines()))


def _values(path: Path, text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    place = _skip(text, 0)
    if place == len(text):
        raise UnreadableFile(f"{path} is empty")
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise UnreadableFile(
                f"{path}, line {error.lineno}: {error.msg} at column {error.colno}",
                hint="Read are a JSON document, JSON lines, and objects between commas.",
            ) from error
        except RecursionError as error:
            raise UnreadableFile(f"{path} is nested too deeply") from error
        yield value
        place = _skip(text, place)


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n,":
        place += 1
    return place


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else Repeats(pairs)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnreadableFile(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path} is not UTF-8 near byte {error.start + 1}") from error


def _brief(value: object) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= 60 else shown[:60] + "…"
