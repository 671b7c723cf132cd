"""What every registered format promises, tried on an example file of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from comd_platform.importers import FORMATS
from comd_platform.importers.records import BadRecord, SourceRecord, check_record

# A new format brings an example of two good records and, between them, one bad one.
EXAMPLES: dict[str, str] = {
    "llava": "\n".join(
        [
            json.dumps({"id": "1", "image": "a.png", "instruction": "What?"}),
            json.dumps({"id": "2", "image": "../a.png", "instruction": "What?"}),
            json.dumps({"id": "3", "conversations": [{"from": "human", "value": "Why?"}]}),
        ]
    ),
}


@pytest.fixture(params=sorted(FORMATS))
def example(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "example"
    path.write_text(EXAMPLES[request.param])
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
    assert told[-1] == path.stat().st_size
