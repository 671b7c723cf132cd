"""What an import left out: one JSON line a record, in a file beside the data."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from comd_platform.importers.records import BadRecord, ImportFailed


class Refusals:
    """Where refused records go: the first one ends the import, or with `skip` all are written down.

    The report is `<file>.skipped.jsonl`; it is begun at the first refusal, replacing an older one.
    """

    def __init__(self, source: Path, *, skip: bool) -> None:
        self.source = source
        self.skip = skip
        self.count = 0
        self._path = source.with_name(f"{source.name}.skipped.jsonl")
        self._handle: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.close()

    @property
    def report(self) -> Path | None:
        """The file that lists the skipped records; None while there is none to list."""
        return self._path if self._handle is not None else None

    def add(self, bad: BadRecord) -> None:
        """Write one refusal down. Raises ImportFailed without `skip`, or where it cannot be written."""
        if not self.skip:
            hint = "--skip-bad leaves such records out and lists them in a file beside the data."
            raise ImportFailed(
                f"{self.source}: {bad}", hint=f"{bad.hint} {hint}" if bad.hint else hint
            )
        line = json.dumps(
            {"position": bad.position, "id": bad.id, "field": bad.field, "reason": bad.reason}
        )
        try:
            if self._handle is None:
                self._handle = self._path.open("w", encoding="utf-8")
            self._handle.write(line + "\n")
        except OSError as error:
            raise ImportFailed(
                f"cannot list the skipped records in {self._path}: {error.strerror or error}",
                hint="Copy the file to a directory you may write to, or mend the records.",
            ) from error
        self.count += 1
