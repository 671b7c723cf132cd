"""What every registered format promises, tried on an example file of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from comd_platform.exporters import FORMATS as EXPORTED
from comd_platform.importers import FORMATS
from comd_platform.importers.records import BadRecord, SourceRecord, check_record
from comd_workers.cli import data


def _lines(*records: dict[str, object]) -> Callable[[Path], None]:
    return lambda path: _write(path, "\n".join(map(json.dumps, records)))


def _write(path: Path, content: str) -> None:
    path.write_text(content)


def _rows(*records: dict[str, object]) -> Callable[[Path], None]:
    return lambda path: pq.write_table(pa.Table.from_pylist(list(records)), path)


def _folder(*records: dict[str, object]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.mkdir()
        _rows(*records)(path / "train.parquet")

    return write


def _said(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


# A new format brings an example of two good records and, between them, one bad one.
_CHATS: tuple[dict[str, object], ...] = (
    {"id": "1", "image": "a.png", "messages": _said("What?")},
    {"id": "2", "image": "../a.png", "messages": _said("What?")},
    {"id": "3", "image": None, "messages": _said("Why?")},
)
_PROBLEM = {"question": "What?", "hint": "", "choices": ["a", "b"], "answer": 1, "split": "train"}
_PROBLEMS = {
    "1": _PROBLEM | {"image": "image.png"},
    "2": _PROBLEM | {"image": "../a.png"},
    "3": _PROBLEM | {"image": None},
}
EXAMPLES: dict[str, Callable[[Path], None]] = {
    "llava": _lines(
        {"id": "1", "image": "a.png", "instruction": "What?"},
        {"id": "2", "image": "../a.png", "instruction": "What?"},
        {"id": "3", "conversations": [{"from": "human", "value": "Why?"}]},
    ),
    "sharegpt": _lines(
        {"images": ["a.png"], "conversations": [{"from": "human", "value": "<image>What?"}]},
        {"images": ["a.png", "b.png"], "conversations": [{"from": "human", "value": "What?"}]},
        {"images": [], "conversations": [{"from": "user", "value": "Why?"}]},
    ),
    "scienceqa": lambda path: _write(path, json.dumps(_PROBLEMS)),
    "openai": _lines(*_CHATS),
    "parquet": _rows(*_CHATS),
    "hf": _folder(*_CHATS),
}


@pytest.fixture(params=sorted(FORMATS))
def example(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "example"
    EXAMPLES[request.param](path)
    return request.param, path


def test_a_reader_streams_records_in_order_and_goes_on_after_a_bad_one(
    example: tuple[str, Path],
) -> None:
    name, path = example
    reading = FORMATS[name].read(path, lambda _: None)
    assert isinstance(reading, Iterator)
    entries = list(reading)
    assert [type(entry) for entry in entries] == [SourceRecord, BadRecord, SourceRecord]
    assert [entry.position for entry in entries] == sorted({entry.position for entry in entries})
    for entry in entries:
        if isinstance(entry, SourceRecord):
            check_record(entry, text_only=True)
        else:
            assert entry.field
            assert entry.reason


def test_a_format_is_described_and_named_as_it_is_registered(example: tuple[str, Path]) -> None:
    name, _ = example
    assert FORMATS[name].name == name
    assert FORMATS[name].description


def test_the_bytes_read_are_told(example: tuple[str, Path]) -> None:
    name, path = example
    told: list[int] = []
    list(FORMATS[name].read(path, told.append))
    files = [path] if path.is_file() else list(path.iterdir())
    assert told[-1] == sum(file.stat().st_size for file in files)


def test_the_command_line_knows_them_all() -> None:
    assert set(data.FORMATS) == set(FORMATS)
    assert {each.value for each in data.ExportFormat} == set(EXPORTED)
