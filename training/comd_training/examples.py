"""The training set as Parquet: one dialogue a row. What the student saw is this file. No torch here.

Columns: `dialogue: string` (key), `image: string | null` (path relative to the image root),
`image_position: "before" | "after"` the first question (eq. 2), and
`turns: list<struct<instruction_key, question, answer>>`, all strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pyarrow as pa
import pyarrow.parquet as pq

from comd_training.files import written_aside
from comd_training.spec import file_sha256

ImagePosition = Literal["before", "after"]

ROW_GROUP = 4096

SCHEMA = pa.schema(
    [
        pa.field("dialogue", pa.string(), nullable=False),
        pa.field("image", pa.string(), nullable=True),
        pa.field("image_position", pa.string(), nullable=False),
        pa.field(
            "turns",
            pa.list_(
                pa.field(
                    "turn",
                    pa.struct(
                        [
                            pa.field("instruction_key", pa.string(), nullable=False),
                            pa.field("question", pa.string(), nullable=False),
                            pa.field("answer", pa.string(), nullable=False),
                        ]
                    ),
                    nullable=False,
                )
            ),
            nullable=False,
        ),
    ]
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and the answer that is to be learned."""

    instruction_key: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Turns about one image, or about none; the image stands in the first turn."""

    dialogue: str
    image: str | None
    image_position: ImagePosition
    turns: tuple[Turn, ...]

    def __post_init__(self) -> None:
        if not self.turns:
            raise ValueError(f"dialogue {self.dialogue!r} has no turns")
        if self.image_position not in ("before", "after"):
            raise ValueError(
                f"dialogue {self.dialogue!r}: image_position is {self.image_position!r}, "
                "neither 'before' nor 'after'"
            )


def write_examples(path: Path, dialogues: Iterable[Dialogue]) -> str:
    """Stream `dialogues` into `path` and return the file's SHA-256.

    Equal dialogues in equal order give equal bytes (with one version of pyarrow). The file is
    written aside and renamed: it is complete or not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        with pq.ParquetWriter(aside, SCHEMA, compression="zstd", version="2.6") as writer:
            for rows in _groups(dialogues):
                writer.write_table(pa.Table.from_pylist([row_of(d) for d in rows], schema=SCHEMA))
        return file_sha256(aside)


def read_examples(path: Path) -> Iterator[Dialogue]:
    """The dialogues in the order they were written, a row group in memory at a time.

    Raises ValueError where the file's columns are not `SCHEMA`.
    """
    with pq.ParquetFile(path) as file:
        if not file.schema_arrow.equals(SCHEMA):
            raise ValueError(f"{path} is no training set: its columns are {file.schema_arrow}")
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group).to_pylist():
                yield _dialogue(row)


def _groups(dialogues: Iterable[Dialogue]) -> Iterator[list[Dialogue]]:
    rows: list[Dialogue] = []
    for dialogue in dialogues:
        rows.append(dialogue)
        if len(rows) == ROW_GROUP:
            yield rows
            rows = []
    if rows:
        yield rows


def row_of(dialogue: Dialogue) -> dict[str, Any]:
    """A dialogue as a row of `SCHEMA`."""
    return {
        "dialogue": dialogue.dialogue,
        "image": dialogue.image,
        "image_position": dialogue.image_position,
        "turns": [
            {"instruction_key": t.instruction_key, "question": t.question, "answer": t.answer}
            for t in dialogue.turns
        ],
    }


def _dialogue(row: dict[str, Any]) -> Dialogue:
    return Dialogue(
        dialogue=row["dialogue"],
        image=row["image"],
        image_position=cast("ImagePosition", row["image_position"]),
        turns=tuple(Turn(**turn) for turn in row["turns"]),
    )
