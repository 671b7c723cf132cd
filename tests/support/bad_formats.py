"""The wrong inputs of `bad_inputs` in the dress of the other formats, as far as each can hold them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from bad_inputs import MEGABYTES, RECORD, Case

_ROLES = {"human": "user", "gpt": "assistant"}
Write = Callable[[Path, list[Any]], None]


@dataclass(frozen=True, slots=True)
class Dress:
    """How a format looks: `write` its records to a path, after `wear` put each into its fields."""

    name: str
    suffix: str
    wear: Callable[[Any], Any]
    write: Write


def as_messages(record: Any) -> Any:
    """A LLaVA record as an OpenAI one; what has no conversation stays as it is."""
    if not isinstance(record, dict) or "conversations" not in record:
        return record
    turns = record["conversations"]
    if isinstance(turns, list):
        turns = [
            {
                _NAMES.get(field, field): _ROLES.get(value, value)
                if isinstance(value, str)
                else value
                for field, value in turn.items()
            }
            if isinstance(turn, dict)
            else turn
            for turn in turns
        ]
    rest = {field: value for field, value in record.items() if field != "conversations"}
    return {**rest, "messages": turns}


_NAMES = {"from": "role", "value": "content"}


def as_item(record: Any) -> Any:
    """A LLaVA record as a benchmark's item: its first question and answer."""
    if not isinstance(record, dict) or not isinstance(record.get("conversations"), list):
        return record
    said = [turn.get("value") for turn in record["conversations"] if isinstance(turn, dict)]
    rest = {field: value for field, value in record.items() if field != "conversations"}
    return {**rest, "question": said[0] if said else None, "answer": ([*said, None, None])[1]}


def write_json(path: Path, records: list[Any]) -> None:
    path.write_text(json.dumps(records))


def write_parquet(path: Path, records: list[Any]) -> None:
    """Raises pa.ArrowException or TypeError for records that no table can hold."""
    if not all(isinstance(record, dict) for record in records):
        raise TypeError("a row is an object")
    fields = {field: None for record in records for field in record}  # the first row's do not do
    pq.write_table(pa.Table.from_pylist([{**fields, **record} for record in records]), path)


def write_dataset(path: Path, records: list[Any]) -> None:
    path.mkdir(exist_ok=True)
    write_parquet(path / "train-00000-of-00001.parquet", records)


DRESSES = (
    Dress("sharegpt", ".json", lambda record: record, write_json),
    Dress("openai", ".json", as_messages, write_json),
    Dress("parquet", ".parquet", as_messages, write_parquet),
    Dress("hf", "", lambda record: record, write_dataset),
)
CANNOT_HOLD = (pa.ArrowException, TypeError, ValueError, OverflowError)
"""What a table answers to values that have no place in it: such a case does not arise there."""


def records_of(case: Case) -> list[Any] | None:
    """The records of a case; None where the file itself is what is wrong, or is very long."""
    if case.group == "The file" or len(case.content) > MEGABYTES:
        return None
    try:
        records = json.loads(case.content, object_pairs_hook=_once)
    except ValueError:
        return None  # a key twice, 5,000 digits: only text can say that
    return records if isinstance(records, list) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


GOOD = {**RECORD, "id": "good"}
