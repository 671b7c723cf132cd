"""Pictures that stand inside the records: spooled to files, so that they are kept as all others are."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

_PREFIX = "embedded/"


class EmbeddedPictures:
    """A temporary directory, `name` of content to file; the same content has one name and one file."""

    def __init__(self) -> None:
        self._room = tempfile.TemporaryDirectory(prefix="comd-import-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._room.cleanup()

    def keep(self, content: bytes) -> str:
        """Write the content down; returns the name that stands for it."""
        digest = hashlib.sha256(content).hexdigest()
        file = Path(self._room.name) / digest
        if not file.exists():
            file.write_bytes(content)
        return _PREFIX + digest

    def find(self, name: str) -> Path | None:
        """The file of a name that `keep` gave; None for every other name."""
        if not name.startswith(_PREFIX):
            return None
        file = Path(self._room.name) / name.removeprefix(_PREFIX)
        return file if file.is_file() else None
