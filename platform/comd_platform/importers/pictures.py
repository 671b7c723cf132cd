"""`import_pictures`: a folder of photographs becomes a pool without instructions.

What is asked about them is the run's business (`bootstrap` in its config).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from comd_platform.db.engine import transaction
from comd_platform.images.names import Folder, ImageError
from comd_platform.images.register import prepare_arrivals, register_arrivals, stage_arrivals
from comd_platform.images.store import ImageStore
from comd_platform.importers.records import BadRecord, ImportFailed
from comd_platform.importers.root_pools import PICTURES, open_pool, pool_name, require_unused
from comd_platform.importers.skipped import Refusals
from comd_platform.settings import Settings

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})

_ADD = """
INSERT INTO pool_image (pool_id, image_id)
SELECT DISTINCT CAST(:pool AS int8), image.id FROM arrived JOIN image USING (sha256)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class PicturesReport:
    """files = new + known + duplicates + skipped; new and known are the pool's pictures."""

    pool_id: int
    pool: str
    files: int
    new: int
    known: int
    duplicates: int
    skipped: int
    skip_report: Path | None
    seconds: float


def import_pictures(
    engine: Engine,
    settings: Settings,
    directory: Path,
    *,
    pool: str | None = None,
    skip_bad: bool = False,
    link: bool = False,
    rehash: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> PicturesReport:
    """Import every picture under `directory` (hidden files excepted), all of it or nothing.

    Files are recognised by suffix and verified by content; others are passed over. The same folder
    imported again adds nothing. Raises ImportFailed at the first damaged picture (unless
    `skip_bad`), where there is none, and when the pool is another kind's or used by a run.
    """
    started = time.monotonic()
    if not directory.is_dir():
        raise ImportFailed(f"{directory} is no directory")
    name = pool_name(directory.absolute(), pool)
    files = _pictures(directory)
    if not files:
        raise ImportFailed(
            f"{directory} holds no picture", hint=f"Known are {', '.join(sorted(SUFFIXES))}."
        )
    with Refusals(directory.absolute(), skip=skip_bad) as refusals, transaction(engine) as session:
        pool_id = open_pool(session, name, {"format": PICTURES, "file": directory.name})
        prepare_arrivals(session)
        inside, refused = _inside(directory, files)
        refused |= stage_arrivals(
            session,
            ImageStore(settings.image_root),
            inside,
            link=link,
            rehash=rehash,
            on_done=lambda done: on_progress and on_progress(done, len(inside)),
        )
        _refuse(refusals, refused)
        register_arrivals(session)
        distinct = session.scalar(text("SELECT count(DISTINCT sha256) FROM arrived")) or 0
        if distinct == 0:
            raise ImportFailed(f"no picture in {directory} could be used")
        new = int(session.connection().execute(text(_ADD), {"pool": pool_id}).rowcount)
        if new:
            require_unused(session, pool_id, name, f"{directory} would add {new:,} pictures")
    return PicturesReport(
        pool_id=pool_id,
        pool=name,
        files=len(files),
        new=new,
        known=distinct - new,
        duplicates=len(files) - len(refused) - distinct,
        skipped=len(refused),
        skip_report=refusals.report,
        seconds=time.monotonic() - started,
    )


def _pictures(directory: Path) -> list[tuple[str, Path]]:
    """(name relative to the directory, path), sorted, so that ids follow the names."""
    found = []
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not hidden:
            found.append((str(relative), path))
    return found


def _inside(
    directory: Path, files: list[tuple[str, Path]]
) -> tuple[list[tuple[str, Path]], dict[str, ImageError]]:
    """(the files that lie in the directory, the names of links that lead out of it)."""
    folder = Folder(directory)
    inside: list[tuple[str, Path]] = []
    refused: dict[str, ImageError] = {}
    for name, path in files:
        try:
            located = folder.locate(name)
        except ImageError as error:
            refused[name] = error
        else:
            inside.append((name, located or path))
    return inside, refused


def _refuse(refusals: Refusals, refused: dict[str, ImageError]) -> None:
    for position, (name, error) in enumerate(sorted(refused.items()), start=1):
        refusals.add(BadRecord(position, name, "picture", error.message, error.hint))
