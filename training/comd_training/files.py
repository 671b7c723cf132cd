"""Files that are complete or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; moved over `path`, durably, when the block ends well."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield aside
        sync_file(aside)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_json(path: Path, value: Any) -> None:
    """`value` as indented JSON, durable and whole."""
    with written_aside(path) as aside:
        aside.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def sync_file(path: Path) -> None:
    """The file's bytes reach the disk before this returns."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """The directory's entries (a rename, say) reach the disk before this returns."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
