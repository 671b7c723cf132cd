"""`export_pool`: a pool as a file that other tools read, and its pictures beside it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.exporters.llava import Layout, Record
from comd_platform.exporters.registry import ExportError, find_format
from comd_platform.exporters.rows import Answers, Row, Scope, read_pictures
from comd_platform.images.store import ImageStore
from comd_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class ExportManifest:
    """What was written. `unanswered` instructions were left out: they have no answer of the kind asked
    for, or an empty one. `images_missing` pictures have not come yet; records name their source."""

    path: Path
    sha256: str
    records: int
    turns: int
    unanswered: int
    images: int
    images_missing: int


def export_pool(
    session: Session,
    settings: Settings,
    *,
    pool_id: int,
    out: Path,
    format: str = "llava",  # noqa: A002 - the command line's word
    scope: Scope = "cache",
    answers: Answers = "reference",
    layout: Layout = "dialogues",
    seed: int = 0,
    images: Path | None = None,
) -> ExportManifest:
    """Write the instructions of a pool to `out`, complete or not at all.

    `answers`: a model's id, "reference", or None for questions alone (then `layout` must be single).
    Pictures are named by their path under the image root: with `images` they are copied to that
    directory, else the image root itself serves as the directory of pictures. The same rows give the
    same bytes. Raises ExportError.
    """
    records = find_format(format).records
    if answers is None and layout == "dialogues":
        raise ExportError(
            "questions without answers make no dialogue", hint="Export them as single turns."
        )
    _require(session, pool_id, answers)
    tally = _Tally()
    store = ImageStore(settings.image_root)

    def selected() -> Generator[Record, None, None]:
        with closing(read_pictures(session, pool_id, scope=scope, answers=answers)) as pictures:
            for rows in pictures:
                kept = tally.keep(rows, need_answer=answers is not None)
                if kept:
                    _copy_image(store, kept[0], images)
                    yield from records(kept, layout=layout, seed=seed)

    try:
        with closing(selected()) as chosen:
            written, sha256 = _write(out, chosen)
    except OSError as error:
        raise ExportError(f"cannot export to {out}: {error.strerror or error}") from error
    return ExportManifest(
        path=out,
        sha256=sha256,
        records=written,
        turns=tally.turns,
        unanswered=tally.unanswered,
        images=tally.images,
        images_missing=tally.missing,
    )


class _Tally:
    """Counts while rows stream by."""

    def __init__(self) -> None:
        self.turns = self.unanswered = self.images = self.missing = 0

    def keep(self, rows: list[Row], *, need_answer: bool) -> list[Row]:
        """Those of one picture's rows that are exported."""
        kept = [row for row in rows if not need_answer or (row.answer or "").strip()]
        self.turns += len(kept)
        self.unanswered += len(rows) - len(kept)
        if kept and kept[0].image is not None:
            self.images += not kept[0].missing
            self.missing += kept[0].missing
        return kept


def _require(session: Session, pool_id: int, answers: Answers) -> None:
    wanted = {"pool": pool_id, "model": answers if isinstance(answers, int) else None}
    for table, key in wanted.items():
        statement = text(f"SELECT EXISTS (SELECT FROM {table} WHERE id = :id)")  # noqa: S608
        if key is not None and not session.scalar(statement, {"id": key}):
            raise ExportError(f"there is no {table} {key}")


def _copy_image(store: ImageStore, row: Row, directory: Path | None) -> None:
    if directory is None or row.image is None or row.missing:
        return
    target = directory / row.image
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.partial")
        shutil.copyfile(store.absolute(row.image), partial)
        partial.replace(target)


def _write(out: Path, records: Iterable[Record]) -> tuple[int, str]:
    """Write beside `out`, then rename; returns how many records, and the file's sha256."""
    lines = out.suffix == ".jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as room:
        partial = Path(room) / out.name
        with partial.open("wb") as handle:
            count, digest = _write_records(handle, records, lines=lines)
        partial.replace(out)
    return count, digest


def _write_records(handle: BinaryIO, records: Iterable[Record], *, lines: bool) -> tuple[int, str]:
    digest = hashlib.sha256()
    count = 0

    def put(data: str) -> None:
        encoded = data.encode()
        digest.update(encoded)
        handle.write(encoded)

    if not lines:
        put("[")
    for count, record in enumerate(records, start=1):
        line = json.dumps(record, ensure_ascii=False)
        put(f"{line}\n" if lines else f"{',' if count > 1 else ''}\n{line}")
    if not lines:
        put("\n]\n")
    return count, digest.hexdigest()
