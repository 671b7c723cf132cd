"""Benchmarks from files: fixed once imported, refused when they are not what they seem."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, Row, text

from comd_platform.errors import ComdError
from comd_platform.evaluation.item_files import Item, parse_item
from comd_platform.evaluation.items import BenchmarkError, import_benchmark
from comd_platform.importers.records import RecordError
from comd_platform.settings import Settings

ITEMS: list[dict[str, Any]] = [
    {"id": "1", "image": "a.png", "question": "<image>\nWho?", "answer": "Olaf"},
    {
        "id": 2,
        "image": "b.png",
        "question": "Which colour?",
        "answers": ["red", "dark red"],
        "groups": {"class": "look", "third": 1},
    },
    {"id": "3", "question": "Two and two?", "answer": "four"},
]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    directory = tmp_path / "pictures"
    directory.mkdir()
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (3, 3), colour).save(directory / name)
    return directory


def write(tmp_path: Path, items: Sequence[object], name: str = "test.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(item) for item in items))
    return path


def rows(engine: Engine, statement: str) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement)))


def test_items_become_rows(
    engine: Engine, settings: Settings, tmp_path: Path, images: Path
) -> None:
    report = import_benchmark(engine, settings, path=write(tmp_path, ITEMS), images=images)
    assert (report.name, report.items, report.images, report.new) == ("test", 3, 2, True)
    benchmark = rows(engine, "SELECT * FROM benchmark")[0]
    assert (benchmark.id, benchmark.kind, benchmark.metric) == (
        report.benchmark_id,
        "custom",
        "normalized",
    )
    found = rows(
        engine,
        "SELECT item.*, image.source FROM evaluation_item AS item"
        " LEFT JOIN image ON image.id = image_id ORDER BY item.id",
    )
    assert [(row.key, row.source, row.question, row.answers, row.groups) for row in found] == [
        ("1", "a.png", "Who?", ["Olaf"], {}),
        ("2", "b.png", "Which colour?", ["red", "dark red"], {"class": "look", "third": "1"}),
        ("3", None, "Two and two?", ["four"], {}),
    ]


def test_the_same_items_again_change_nothing_in_whatever_order(
    engine: Engine, settings: Settings, tmp_path: Path, images: Path
) -> None:
    first = import_benchmark(engine, settings, path=write(tmp_path, ITEMS), images=images)
    path = write(tmp_path, ITEMS[::-1])
    again = import_benchmark(engine, settings, path=path, images=images, name="test")
    assert (again.benchmark_id, again.new) == (first.benchmark_id, False)
    assert len(rows(engine, "SELECT id FROM evaluation_item")) == 3
    with pytest.raises(BenchmarkError, match="as the benchmark 'test'"):
        import_benchmark(engine, settings, path=path, images=images, name="other")
    stricter = import_benchmark(
        engine, settings, path=path, images=images, name="strict", metric="exact"
    )
    assert stricter.new


def test_a_changed_file_under_the_same_name_is_refused(
    engine: Engine, settings: Settings, tmp_path: Path, images: Path
) -> None:
    import_benchmark(engine, settings, path=write(tmp_path, ITEMS), images=images)
    question = [{**ITEMS[0], "question": "Why?"}, *ITEMS[1:]]
    answer = [{**ITEMS[0], "answer": "Elsa"}, *ITEMS[1:]]
    groups = [{**ITEMS[0], "groups": {"class": "x"}}, *ITEMS[1:]]
    picture = [{**ITEMS[0], "image": "b.png"}, *ITEMS[1:]]
    for items, metric in (
        (question, "normalized"),
        (answer, "normalized"),
        (groups, "normalized"),
        (picture, "normalized"),
        (ITEMS[:-1], "normalized"),
        (ITEMS, "exact"),
    ):
        path = write(tmp_path, items)
        with pytest.raises(BenchmarkError, match="'test' holds other items") as error:
            import_benchmark(engine, settings, path=path, images=images, metric=metric)
        assert "--name" in (error.value.hint or "")
    assert len(rows(engine, "SELECT id FROM evaluation_item")) == 3


GOOD: dict[str, Any] = {"id": "1", "question": "Who?", "answer": "Olaf"}
BAD: list[tuple[object, str, str]] = [
    (5, "record", "object"),
    ({}, "id", "missing"),
    ({**GOOD, "id": None}, "id", "missing"),
    ({**GOOD, "id": "a\0"}, "id", "NUL"),
    ({**GOOD, "question": "<image>\n"}, "question", "empty"),
    ({**GOOD, "question": 5}, "question", "the number 5"),
    ({**GOOD, "question": "\ud800"}, "question", "surrogate"),
    ({"id": 1, "question": "Who?"}, "answers", "either"),
    ({**GOOD, "answers": ["Olaf"]}, "answers", "either"),
    ({"id": 1, "question": "Who?", "answers": []}, "answers", "at least one"),
    ({"id": 1, "question": "Who?", "answers": "Olaf"}, "answers", "an array"),
    ({"id": 1, "question": "Who?", "answers": ["Olaf", " "]}, "answers", "not empty"),
    ({"id": 1, "question": "Who?", "answers": [5]}, "answers", "a string"),
    ({**GOOD, "answer": None}, "answer", "a string"),
    ({**GOOD, "groups": ["look"]}, "groups", "an object"),
    ({**GOOD, "groups": {"class": None}}, "groups", "a string"),
    ({**GOOD, "image": "../a.png"}, "image", "leaves"),
    ({**GOOD, "group": {}}, "group", "not a field"),
]


@pytest.mark.parametrize(("value", "field", "reason"), BAD)
def test_a_bad_item_says_where_and_why(value: object, field: str, reason: str) -> None:
    with pytest.raises(RecordError, match=reason) as error:
        parse_item(value)
    assert error.value.field == field


def test_a_good_item_is_read() -> None:
    assert parse_item(GOOD) == Item("1", None, "Who?", ("Olaf",), {})


def test_a_bad_file_leaves_no_rows(
    engine: Engine, settings: Settings, tmp_path: Path, images: Path
) -> None:
    bad: list[tuple[list[object], str]] = [
        ([], "empty"),
        ([GOOD, {**GOOD, "question": "Why?"}], r"record 2 \(id '1'\), id: .* record 1 too"),
        ([GOOD, {**GOOD, "id": 1.5, "answer": ""}], r"record 2 \(id '1.5'\), answer"),
        ([{**GOOD, "image": "none.png"}], "none.png is not in"),
    ]
    for items, reason in bad:
        with pytest.raises(ComdError, match=reason):
            import_benchmark(engine, settings, path=write(tmp_path, items), images=images)
        assert rows(engine, "SELECT id FROM benchmark") == []


def test_wrong_arguments_are_refused(
    engine: Engine, settings: Settings, tmp_path: Path, images: Path
) -> None:
    path = write(tmp_path, ITEMS)
    with pytest.raises(BenchmarkError, match="names a picture") as error:
        import_benchmark(engine, settings, path=path)
    assert "--images" in (error.value.hint or "")
    with pytest.raises(BenchmarkError, match="no metric 'bleu'"):
        import_benchmark(engine, settings, path=path, images=images, metric="bleu")
    with pytest.raises(BenchmarkError, match="benchmark's name"):
        import_benchmark(engine, settings, path=path, images=images, name=" ")
