"""Pictures as rows: from named files to `image`, set-based, inside the caller's transaction.

Pictures arrive in a temporary table, `arrived`, one row a name. An import first fulfils the promises
that those names keep (`arrivals.settle_missing`); then what is still unknown is inserted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.images.arrivals import lock_images
from comd_platform.images.names import ImageError
from comd_platform.images.seen_files import keep_files, known_files, signature, to_keep
from comd_platform.images.store import ImageStore

OnDone = Callable[[int], None]
"""Told now and then how many pictures are done."""

_BATCH = 1000
_COLUMNS = ("source", "sha256", "path", "width", "height", "format", "bytes", "file", "signature")
_TYPES = ("text", "text", "text", "int8", "int8", "text", "int8", "text", "text")


@dataclass(frozen=True, slots=True)
class Registered:
    """Distinct contents among what arrived: new rows, and pictures that had one."""

    new: int
    known: int


class PictureRefused(ImageError):
    """The picture called `name` cannot be used."""

    def __init__(self, name: str, error: ImageError) -> None:
        super().__init__(error.message, hint=error.hint)
        self.name = name


def register_images(
    session: Session, store: ImageStore, files: Mapping[str, Path], *, link: bool = False
) -> dict[str, int]:
    """Keep each file in the store; returns the `image.id` of every name.

    Raises PictureRefused at the first picture that cannot be used; the session must then roll back.
    """
    prepare_arrivals(session)
    refused = stage_arrivals(session, store, files.items(), link=link)
    for name, error in refused.items():
        raise PictureRefused(name, error) from error
    register_arrivals(session)
    rows = session.execute(
        text("SELECT arrived.source, image.id FROM arrived JOIN image USING (sha256)")
    )
    return dict(rows.tuples().all())


def prepare_arrivals(session: Session) -> None:
    """The temporary table `arrived`: one row for each name, with the picture it stands for.

    `file` and `signature` where it was read just now, and need not be read next time.
    """
    session.execute(
        text(
            "CREATE TEMPORARY TABLE IF NOT EXISTS arrived (source text PRIMARY KEY, sha256 text"
            " NOT NULL, path text, width int8, height int8, format text, bytes int8, file text,"
            " signature text) ON COMMIT DROP"
        )
    )
    session.execute(text("TRUNCATE arrived"))


def stage_arrivals(
    session: Session,
    store: ImageStore,
    files: Iterable[tuple[str, Path]],
    *,
    link: bool = False,
    rehash: bool = False,
    on_done: OnDone | None = None,
) -> dict[str, ImageError]:
    """Verify and keep the files, and COPY their rows to `arrived`. Returns the refused ones by name.

    A file that was read before, has not changed since (`seen_files`) and is in the store is not read
    again, unless `rehash` asks for it.
    """
    refused: dict[str, ImageError] = {}
    remaining = iter(files)
    done = 0
    while batch := list(islice(remaining, _BATCH)):
        rows = _arrivals(session, store, batch, refused, link=link, rehash=rehash)
        copy_rows(session, "arrived", _COLUMNS, rows, _TYPES)
        done += len(batch)
        if on_done is not None:
            on_done(done)
    session.execute(text("ANALYZE arrived"))
    return refused


def _arrivals(
    session: Session,
    store: ImageStore,
    batch: Sequence[tuple[str, Path]],
    refused: dict[str, ImageError],
    *,
    link: bool,
    rehash: bool,
) -> list[tuple[object, ...]]:
    """Rows of `arrived`; who cannot be used is added to `refused`."""
    started = time.time_ns()
    before = {path: signature(path) for _, path in batch}
    known = {} if rehash else known_files(session, before)
    rows: list[tuple[object, ...]] = []
    unread = []
    for name, path in batch:
        stored = known.get(str(path))
        if stored is not None and store.holds(stored):
            rows.append((name, *stored, None, None))
        else:
            unread.append((name, path))
    outcomes = store.put_all((path for _, path in unread), link=link)
    for (name, path), outcome in zip(unread, outcomes, strict=True):
        if isinstance(outcome, ImageError):
            refused[name] = outcome
            continue
        kept = to_keep(path, before[path], started)
        rows.append((name, *outcome, *((str(path), str(kept)) if kept else (None, None))))
    return rows


def register_arrivals(session: Session) -> Registered:
    """Insert an `image` row for every content in `arrived` that has none."""
    lock_images(session)
    distinct = session.scalar(text("SELECT count(DISTINCT sha256) FROM arrived")) or 0
    result = session.connection().execute(
        text(
            "INSERT INTO image (sha256, path, source, width, height, format, bytes, state)"
            " SELECT DISTINCT ON (sha256) sha256, path, source, width, height, format, bytes,"
            " 'present' FROM arrived ORDER BY sha256, source"
            " ON CONFLICT (sha256) DO NOTHING"
        )
    )
    keep_files(session)
    return Registered(new=result.rowcount, known=distinct - result.rowcount)
