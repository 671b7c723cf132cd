"""The teacher's stored logits as a training reads them: one Arrow file beside the examples, read where
it lies (memory-mapped), an answer at a time. No torch here.

Columns: `instruction_key: string`, `logits: binary` (top_logits.py). In the schema's metadata: the
digest of the vocabulary whose ids these are (vocabulary.py), and the teacher's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Self

import pyarrow as pa

from comd_training.files import written_aside
from comd_training.top_logits import TopLogits

_BATCH = 512
_FIELDS = [
    pa.field("instruction_key", pa.string(), nullable=False),
    pa.field("logits", pa.binary(), nullable=False),
]


def write_stored_logits(
    path: Path, rows: Iterable[tuple[str, bytes]], *, vocabulary: str, teacher: str
) -> None:
    """Stream (instruction key, `TopLogits.to_bytes`) into `path`; complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(_FIELDS, metadata={"vocabulary": vocabulary, "teacher": teacher})
    with written_aside(path) as aside, pa.ipc.new_file(str(aside), schema) as writer:
        for batch in _batches(rows):
            keys, data = zip(*batch, strict=True)
            columns = [pa.array(keys, pa.string()), pa.array(data, pa.binary())]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _batches(rows: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield batch


class StoredLogits:
    """By instruction. Only the keys are in memory."""

    def __init__(self, table: pa.Table, top_k: int) -> None:
        told = table.schema.metadata
        self.vocabulary = told[b"vocabulary"].decode()
        self.teacher = told[b"teacher"].decode()
        self._column = table.column("logits")
        self._rows = {
            key: row for row, key in enumerate(table.column("instruction_key").to_pylist())
        }
        self._top_k = top_k

    @classmethod
    def open(cls, path: Path, top_k: int) -> Self:
        """`top_k`: of each token's logits, so many are given, however many are stored."""
        with pa.memory_map(str(path)) as source:
            return cls(pa.ipc.open_file(source).read_all(), top_k)

    def __contains__(self, instruction_key: object) -> bool:
        return instruction_key in self._rows

    def __getitem__(self, instruction_key: str) -> TopLogits:
        """Raises KeyError for an instruction that is not in the file."""
        stored = self._column[self._rows[instruction_key]].as_py()
        return TopLogits.from_bytes(stored).narrowed(self._top_k)
