"""Parquet: a flat table of instructions for analysis, or conversations with their pictures inside.

The second is what the Hugging Face hub shows and `datasets.load_dataset` opens; its footer carries
the features, so that pictures are decoded by themselves.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from comd_platform.exporters.rows import Row
from comd_platform.exporters.turns import Conversation, Layout, conversations

_ROLES = {"human": "user", "gpt": "assistant"}
_BATCH = 1000
_PICTURES_BATCH = 200  # rows that hold pictures, a group

FLAT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("image", pa.string()),
        pa.field("task_type", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("answer", pa.string()),
        pa.field("parent", pa.string()),
        pa.field("generation", pa.int64(), nullable=False),
        pa.field("difficulty", pa.float64()),
        pa.field("teacher_score", pa.float64()),
        pa.field("student_score", pa.float64()),
    ]
)
_TURNS = pa.list_(
    pa.struct([field for field in FLAT if field.name not in {"image", "question", "answer"}])
)
_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_PICTURES = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def write_flat(path: Path, pictures: Iterable[list[Row]], layout: Layout, seed: int) -> int:
    """One instruction a row; pictures are named, not embedded. There is no layout to choose."""
    del layout, seed
    rows = (_flat(row) for together in pictures for row in together)
    return _write(path, FLAT, rows, _BATCH)


class WithPictures:
    """Writes conversations with their pictures inside; `root` is the image root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, path: Path, pictures: Iterable[list[Row]], layout: Layout, seed: int) -> int:
        rows = (
            self._row(conversation)
            for together in pictures
            for conversation in conversations(together, layout=layout, seed=seed)
        )
        return _write(path, _hub_schema(), rows, _PICTURES_BATCH)

    def _row(self, conversation: Conversation) -> dict[str, object]:
        stored = conversation.rows[0].stored
        pictures = []
        if conversation.image is not None:
            content = None if stored is None else (self._root / stored).read_bytes()
            pictures = [{"bytes": content, "path": conversation.image}]
        return {
            "id": conversation.id,
            "images": pictures,
            "messages": [
                {"role": _ROLES[speaker], "content": value}
                for speaker, value in conversation.said()
            ],
            "task_type": conversation.task_type,
            "turns": [_flat(row) for row in conversation.rows],
        }


def _hub_schema() -> pa.Schema:
    """The columns, and the same as `datasets` calls them."""

    def value(field: pa.Field) -> dict[str, str]:
        kind = "float64" if pa.types.is_floating(field.type) else str(field.type)
        return {"dtype": kind, "_type": "Value"}

    text = {"dtype": "string", "_type": "Value"}
    features = {
        "id": text,
        "images": {"feature": {"_type": "Image"}, "_type": "List"},
        "messages": {"feature": {"role": text, "content": text}, "_type": "List"},
        "task_type": text,
        "turns": {
            "feature": {field.name: value(field) for field in _TURNS.value_type},
            "_type": "List",
        },
    }
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("images", _PICTURES),
            ("messages", _MESSAGES),
            ("task_type", pa.string()),
            ("turns", _TURNS),
        ]
    )
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _flat(row: Row) -> dict[str, object]:
    return {
        "id": row.key,
        "image": row.image,
        "task_type": row.task_type,
        "question": row.question,
        "answer": row.answer,
        "parent": row.parent_key,
        "generation": row.generation,
        "difficulty": row.difficulty,
        "teacher_score": row.teacher_score,
        "student_score": row.student_score,
    }


def _write(path: Path, schema: pa.Schema, rows: Iterator[dict[str, object]], batch: int) -> int:
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while together := list(itertools.islice(rows, batch)):
            writer.write_table(pa.Table.from_pylist(together, schema=schema))
            count += len(together)
    return count
