"""`import_file`: a file of records becomes a root pool, in one transaction, as often as you like."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from comd_platform.db.engine import transaction
from comd_platform.images.store import ImageStore
from comd_platform.importers.embedded import EmbeddedPictures
from comd_platform.importers.insertion import insert_staged
from comd_platform.importers.records import ImportFailed
from comd_platform.importers.registry import find_format
from comd_platform.importers.root_pools import open_pool, pool_name, require_unused
from comd_platform.importers.skipped import Refusals
from comd_platform.importers.staging import stage_pictures, stage_records
from comd_platform.settings import Settings

# Told (stage, done, total): bytes of the file in stage "records", pictures in stage "pictures".
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. turns = instructions_new + instructions_known + duplicates."""

    pool_id: int
    pool: str
    records: int
    turns: int
    instructions_new: int
    instructions_known: int
    duplicates: int
    skipped: int
    skip_report: Path | None
    images_new: int
    images_known: int
    images_missing: int
    seconds: float


def import_file(
    engine: Engine,
    settings: Settings,
    *,
    format: str = "llava",  # noqa: A002 - the command line's word
    path: Path,
    images: Path | None = None,
    pool: str | None = None,
    keep_answers: bool = False,
    images_later: bool = False,
    text_only: bool = False,
    skip_bad: bool = False,
    link: bool = False,
    rehash: bool = False,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Import `path` into the root pool `pool` (default: the file's stem), all of it or nothing.

    Multi-turn records become single turns; answers are dropped, or kept as reference answers
    (`keep_answers`). Pictures are looked for under `images` and copied (or hard-linked: `link`) into
    the image store; one that was read before and has not changed since is not read again, unless
    `rehash` asks for it. The same file imported again adds nothing. Memory does not grow with the file.

    Raises ImportFailed, naming file, record and field, at the first record that cannot be used, when
    pictures are absent, and when the file would add to a pool that a run has used. Pictures that
    were copied before a failure stay in the store, where they harm nothing.
    """
    started = time.monotonic()
    reader = find_format(format).read
    _require_directory(images)
    name = pool_name(path, pool)
    tell = on_progress or _quiet
    with (
        Refusals(path, skip=skip_bad) as refusals,
        EmbeddedPictures() as embedded,
        transaction(engine) as session,
    ):
        size = _size(path)
        pool_id = open_pool(session, name, {"format": format, "file": path.name})
        records = stage_records(
            session,
            path,
            reader,
            refusals,
            text_only=text_only,
            keep_answers=keep_answers,
            embedded=embedded,
            on_bytes=lambda done: tell("records", done, size),
        )
        if records == 0:
            raise ImportFailed(f"{path} holds no record")
        missing = stage_pictures(
            session,
            ImageStore(settings.image_root),
            images,
            refusals,
            pool_id=pool_id,
            embedded=embedded,
            later=images_later,
            link=link,
            rehash=rehash,
            on_pictures=lambda done, total: tell("pictures", done, total),
        )
        inserted = insert_staged(session, pool_id)
        if inserted.new > 0:
            adding = f"{path} would add {inserted.new:,} instructions"
            require_unused(session, pool_id, name, adding)
        elif inserted.turns == 0:
            raise ImportFailed(f"no record of {path} could be used", hint=_see(refusals))
    return ImportReport(
        pool_id=pool_id,
        pool=name,
        records=records,
        turns=inserted.turns,
        instructions_new=inserted.new,
        instructions_known=inserted.known,
        duplicates=inserted.duplicates,
        skipped=refusals.count,
        skip_report=refusals.report,
        images_new=inserted.images_new,
        images_known=inserted.images_known,
        images_missing=missing,
        seconds=time.monotonic() - started,
    )


def _quiet(stage: str, done: int, total: int) -> None:
    """Progress that nobody wants to see."""


def _see(refusals: Refusals) -> str | None:
    return f"{refusals.report} says why." if refusals.report else None


def _size(path: Path) -> int:
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        if not path.is_file():
            raise ImportFailed(
                f"{path} is no file" if path.exists() else f"there is no file {path}"
            )
        return path.stat().st_size
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror or error}") from error


def _require_directory(images: Path | None) -> None:
    if images is not None and not images.is_dir():
        raise ImportFailed(f"{images}, named for the pictures, is no directory")
