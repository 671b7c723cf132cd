"""Files of conversations: ShareGPT and OpenAI as JSON, Parquet, and Hugging Face datasets on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from comd_platform.importers.chat import parse_chat
from comd_platform.importers.json_records import read_values
from comd_platform.importers.records import BadRecord, ImportFailed, OnBytes, SourceRecord

_ROWS = 256  # at once: rows may hold pictures


def read_chat_json(path: Path, on_bytes: OnBytes) -> Iterator[SourceRecord | BadRecord]:
    """Every record of a JSON array or JSONL file. Raises ImportFailed for a damaged file."""
    for position, value in read_values(path, on_bytes):
        yield parse_chat(position, value)


def read_parquet(path: Path, on_bytes: OnBytes) -> Iterator[SourceRecord | BadRecord]:
    """Every row of a Parquet file. Raises ImportFailed for a damaged file."""
    yield from _read([path], on_bytes)


def read_dataset(path: Path, on_bytes: OnBytes) -> Iterator[SourceRecord | BadRecord]:
    """Every row of a folder: Parquet files as on the hub, or what `save_to_disk` wrote.

    A folder with several splits (`train-*`, `test-*`, or a folder for each) is refused: which of
    them is meant has to be said. Raises ImportFailed.
    """
    if path.is_file():
        raise ImportFailed(
            f"{path} is a file", hint="A dataset is a folder; see comd import parquet."
        )
    files = sorted([*path.rglob("*.parquet"), *path.rglob("data-*.arrow")])
    if not files:
        raise ImportFailed(f"{path} holds neither Parquet files nor a saved dataset")
    splits = {(file.parent, file.name.split("-")[0]) for file in files}
    if len(splits) > 1:
        names = ", ".join(sorted(str((place / name).relative_to(path)) for place, name in splits))
        raise ImportFailed(
            f"{path} holds several splits ({names})",
            hint="Import the one you mean: the folder or the Parquet file of the split.",
        )
    yield from _read(files, on_bytes)


def _read(files: list[Path], on_bytes: OnBytes) -> Iterator[SourceRecord | BadRecord]:
    position = done = 0
    for file in files:
        try:
            for batch in _batches(file):
                for row in batch.to_pylist():
                    position += 1
                    yield parse_chat(position, row)
        except (pa.ArrowException, OSError) as error:
            raise ImportFailed(f"{file} is damaged or no table: {error}") from error
        done += file.stat().st_size
        on_bytes(done)


def _batches(file: Path) -> Iterator[pa.RecordBatch]:
    if file.suffix == ".arrow":
        with pa.memory_map(str(file)) as source, pyarrow.ipc.open_stream(source) as reader:
            for batch in reader:
                for start in range(0, batch.num_rows, _ROWS):
                    yield batch.slice(start, _ROWS)
    else:
        with pq.ParquetFile(file) as table:
            yield from table.iter_batches(_ROWS)
