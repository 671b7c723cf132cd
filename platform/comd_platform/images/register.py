"""Pictures as rows: from named files to `image`, set-based, inside the caller's transaction.

Pictures arrive in a temporary table, `arrived`, one row a name. An import first fulfils the promises
that those names keep (`arrivals.settle_missing`); then what is still unknown is inserted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.images.arrivals import lock_images
from comd_platform.images.names import ImageError
from comd_platform.images.store import ImageStore, StoredImage

Progress = Callable[[int, int], None]  # (pictures done, pictures in all)

_COLUMNS = ("source", "sha256", "path", "width", "height", "format", "bytes", "perceptual_hash")
_TYPES = ("text", "text", "text", "int8", "int8", "text", "int8", "int8")


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
    """The temporary table `arrived`: one row for each name, with the picture it stands for."""
    session.execute(
        text(
            "CREATE TEMPORARY TABLE IF NOT EXISTS arrived (source text PRIMARY KEY, sha256 text"
            " NOT NULL, path text, width int8, height int8, format text, bytes int8,"
            " perceptual_hash int8) ON COMMIT DROP"
        )
    )
    session.execute(text("TRUNCATE arrived"))


def stage_arrivals(
    session: Session,
    store: ImageStore,
    files: Iterable[tuple[str, Path]],
    *,
    link: bool = False,
    on_progress: Progress | None = None,
) -> dict[str, ImageError]:
    """Verify and keep the files, and COPY their rows to `arrived`. Returns the refused ones by name."""
    named = list(files)
    refused: dict[str, ImageError] = {}

    def rows() -> Iterable[tuple[object, ...]]:
        outcomes = store.put_all((path for _, path in named), link=link)
        for done, ((name, _), outcome) in enumerate(zip(named, outcomes, strict=True), start=1):
            if isinstance(outcome, StoredImage):
                yield (
                    name,
                    outcome.sha256,
                    outcome.path,
                    outcome.width,
                    outcome.height,
                    outcome.format,
                    outcome.bytes,
                    outcome.perceptual_hash,
                )
            else:
                refused[name] = outcome
            if on_progress is not None:
                on_progress(done, len(named))

    copy_rows(session, "arrived", _COLUMNS, rows(), _TYPES)
    session.execute(text("ANALYZE arrived"))
    return refused


def register_arrivals(session: Session) -> Registered:
    """Insert an `image` row for every content in `arrived` that has none."""
    lock_images(session)
    distinct = session.scalar(text("SELECT count(DISTINCT sha256) FROM arrived")) or 0
    result = session.connection().execute(
        text(
            "INSERT INTO image"
            " (sha256, path, source, width, height, format, bytes, perceptual_hash, state)"
            " SELECT DISTINCT ON (sha256) sha256, path, source, width, height, format, bytes,"
            # of one content under two names only the first was decoded
            " max(perceptual_hash) OVER (PARTITION BY sha256), 'present'"
            " FROM arrived ORDER BY sha256, source"
            " ON CONFLICT (sha256) DO NOTHING"
        )
    )
    return Registered(new=result.rowcount, known=distinct - result.rowcount)
