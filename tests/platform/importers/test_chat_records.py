"""The dialects of conversations, and what is wrong with those that are refused."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sqlalchemy import Engine, text

from comd_platform.importers import ImportFailed, import_file
from comd_platform.importers.chat import parse_chat
from comd_platform.importers.chat_files import read_dataset
from comd_platform.importers.records import BadRecord, SourceRecord
from comd_platform.method.dialogues import Turn
from comd_platform.settings import Settings

PICTURE = {"type": "image_url", "image_url": {"url": "a.png"}}


def parsed(value: dict[str, Any]) -> SourceRecord:
    record = parse_chat(1, value)
    assert isinstance(record, SourceRecord), record
    return record


@pytest.mark.parametrize(
    "value",
    [
        {
            "conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "user", "value": "<image>Who?"},
                {"from": "assistant", "value": "Olaf."},
            ],
            "images": ["a.png"],
        },
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Who?"}, PICTURE]},
                {"role": "assistant", "content": "Olaf."},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Who?"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "Olaf."}]},
            ],
            "images": [{"path": "a.png", "bytes": None}],
        },
        {"question": "Who?", "answer": "Olaf.", "image": "a.png", "conversations": None},
    ],
)
def test_every_dialect_says_the_same(value: dict[str, Any]) -> None:
    record = parsed(value)
    assert (record.image, record.picture) == ("a.png", None)
    assert record.turns == (Turn("Who?", "Olaf."),)


def test_pictures_inside_the_record() -> None:
    url = "data:image/png;base64," + base64.b64encode(b"content").decode()
    part = {"type": "image_url", "image_url": {"url": url}}
    record = parsed(
        {"messages": [{"role": "user", "content": [part, {"type": "text", "text": "Q"}]}]}
    )
    assert record.picture == b"content"
    record = parsed({"question": "Q", "image": {"bytes": b"content", "path": "/tmp/x.png"}})
    assert record.picture == b"content"


@pytest.mark.parametrize(
    ("value", "field", "reason"),
    [
        ({"images": ["a.png", "b.png"], "question": "Q"}, "images", "found 2"),
        ({"image": "https://x/a.png", "question": "Q"}, "image", "is a URL"),
        ({"image": "../a.png", "question": "Q"}, "image", "leaves the image directory"),
        ({"image": "data:image/png;base64,?", "question": "Q"}, "image", "no base64"),
        ({"messages": "hello"}, "messages", "array of objects"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages", "called 'tool'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages",
            "type 'input_audio'",
        ),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "conversations", "no question"),
        ({"messages": [{"role": "user", "content": "<image>Q"}]}, "conversations", "no picture"),
        ({"title": "x"}, "record", "has none of"),
    ],
)
def test_what_is_refused_says_why(value: dict[str, Any], field: str, reason: str) -> None:
    bad = parse_chat(7, {"id": 3, **value})
    assert isinstance(bad, BadRecord)
    assert (bad.position, bad.id, bad.field) == (7, "3", field)
    assert reason in bad.reason


def test_one_picture_in_many_rows_is_kept_once(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    Image.new("RGB", (5, 5), "red").save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    rows = [{"question": f"Q{n}?", "image": {"bytes": content, "path": "a.png"}} for n in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    report = import_file(engine, settings, format="parquet", path=tmp_path / "rows.parquet")
    assert (report.instructions_new, report.images_new, report.images_missing) == (3, 1, 0)
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT path, format FROM image")).one()
    assert (settings.image_root / stored.path).read_bytes() == content

    again = import_file(engine, settings, format="parquet", path=tmp_path / "rows.parquet")
    assert (again.instructions_known, again.images_known) == (3, 1)


def test_a_picture_that_is_none_names_its_record(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    rows = [{"question": "Q?", "image": {"bytes": b"no picture", "path": None}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    with pytest.raises(ImportFailed, match="record 1, image"):
        import_file(engine, settings, format="parquet", path=tmp_path / "rows.parquet")


def test_a_dataset_is_a_folder_with_one_split(tmp_path: Path) -> None:
    def read(path: Path) -> list[object]:
        return list(read_dataset(path, lambda _: None))

    with pytest.raises(ImportFailed, match="neither Parquet"):
        read(tmp_path)
    table = pa.Table.from_pylist([{"question": "Q?"}])
    for name in ("train-00000-of-00002", "train-00001-of-00002"):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    assert len(read(tmp_path)) == 2
    pq.write_table(table, tmp_path / "test-00000-of-00001.parquet")
    with pytest.raises(ImportFailed, match="several splits"):
        read(tmp_path)
    with pytest.raises(ImportFailed, match="is a file"):
        read(tmp_path / "test-00000-of-00001.parquet")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ImportFailed, match="damaged"):
        read(tmp_path / "broken")
