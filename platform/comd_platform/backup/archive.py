"""What a backup file looks like: a plain tar that `tar -tf` lists and no program executes.

manifest.json             what it is, of which schema, counts and sha256 of all that follows
rows/TABLE.jsonl.gz       the rows of one table, a JSON object a line
images/ab/SHA256.png      pictures, under the names that the image store gives them
artifacts/…               checkpoints and training sets, under the artifact root's names
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Table

from comd_platform.errors import ComdError
from comd_platform.tables import Base

FORMAT = 1
MANIFEST = "manifest.json"
WEIGHTS = {".safetensors", ".json", ".jinja", ".model", ".txt", ".md", ".parquet"}
"""Kinds of file that a backup carries. No pickle: loading one would run whatever it holds."""

LEFT_OUT = {"file_content", "worker"}
"""Tables that say nothing about a run: files and processes of the machine that it came from."""


class BackupError(ComdError):
    """A backup that cannot be made, read or put back."""


def backed_up() -> list[Table]:
    """The tables of a backup, each after those that it refers to (but for cycles)."""
    return [table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT]


def rows_name(table: str) -> str:
    return f"rows/{table}.jsonl.gz"


def file_sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def safe_name(name: str) -> str:
    """A member's name, if it stays under where it is unpacked. Raises BackupError."""
    path = PurePosixPath(name)
    known = path.parts[:1] in {("rows",), ("images",), ("artifacts",)} or name == MANIFEST
    if not known or path.is_absolute() or ".." in path.parts or "\\" in name:
        raise BackupError(f"the backup holds {name!r}, which no backup of comd's does")
    if path.parts[0] == "artifacts" and path.suffix not in WEIGHTS:
        raise BackupError(f"the backup holds {name!r}, a kind of file that comd does not take in")
    return name


def total(files: Iterable[dict[str, Any]]) -> int:
    """Bytes of a manifest's files."""
    return sum(int(file["bytes"]) for file in files)
