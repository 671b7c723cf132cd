"""Records as a JSON array, or as JSON lines where the file is called so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from comd_platform.exporters.rows import Row
from comd_platform.exporters.turns import Conversation, Layout, conversations

Record = dict[str, object]


def json_writer(
    record: Callable[[Conversation], Record],
) -> Callable[[Path, Iterable[list[Row]], Layout, int], int]:
    """A writer of one `record` a conversation."""

    def write(path: Path, pictures: Iterable[list[Row]], layout: Layout, seed: int) -> int:
        written = (
            record(conversation)
            for rows in pictures
            for conversation in conversations(rows, layout=layout, seed=seed)
        )
        return _write(path, written)

    return write


def _write(path: Path, records: Iterable[Record]) -> int:
    lines = path.suffix == ".jsonl"
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        if not lines:
            handle.write("[")
        for count, record in enumerate(records, start=1):
            line = json.dumps(record, ensure_ascii=False)
            handle.write(f"{line}\n" if lines else f"{',' if count > 1 else ''}\n{line}")
        if not lines:
            handle.write("\n]\n")
    return count
