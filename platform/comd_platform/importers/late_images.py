"""`import_images`: the pictures that an import with `images_later` waits for have come."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from comd_platform.db.engine import transaction
from comd_platform.images.arrivals import settle_missing
from comd_platform.images.names import Folder
from comd_platform.images.register import prepare_arrivals, register_arrivals, stage_arrivals
from comd_platform.images.store import ImageStore
from comd_platform.importers.records import ImportFailed
from comd_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class ImagesReport:
    """What came. `arrived` promises were kept, of which `merged` by a picture that was known under
    another name; `duplicates` instructions were dropped, since their question stood there for that
    picture already; `missing` promises remain."""

    arrived: int
    merged: int
    duplicates: int
    rekeyed: int
    missing: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Missing:
    """How many pictures a pool waits for, how many instructions wait with them, the first names."""

    images: int
    instructions: int
    first: tuple[str, ...]


def import_images(
    engine: Engine,
    settings: Settings,
    directory: Path,
    *,
    link: bool = False,
    rehash: bool = False,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> ImagesReport:
    """Bring every missing picture that `directory` holds, all in one transaction.

    A name is looked for as a path relative to `directory`; then by its last part alone, where just
    one file there and one missing picture are called so. Raises ImageError for a damaged picture.
    """
    started = time.monotonic()
    if not directory.is_dir():
        raise ImportFailed(f"{directory} is no directory")
    with transaction(engine) as session:
        names = list(
            session.scalars(
                text("SELECT source FROM image WHERE state = 'missing' ORDER BY source")
            )
        )
        files = match_names(directory, names)
        prepare_arrivals(session)
        refused = stage_arrivals(
            session,
            ImageStore(settings.image_root),
            files.items(),
            link=link,
            rehash=rehash,
            on_done=lambda done: on_progress and on_progress("pictures", done, len(files)),
        )
        for error in refused.values():
            raise error
        settled = settle_missing(session)
        register_arrivals(session)
        missing = session.scalar(text("SELECT count(*) FROM image WHERE state = 'missing'")) or 0
    return ImagesReport(
        arrived=settled.images + settled.merged,
        merged=settled.merged,
        duplicates=settled.duplicates,
        rekeyed=settled.rekeyed,
        missing=missing,
        seconds=time.monotonic() - started,
    )


def missing_images(session: Session, pool_id: int) -> Missing:
    """What the cache of a pool (the pool and its ancestors) still waits for."""
    waiting = (
        " FROM pool_closure JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id"
        " JOIN image ON image.id = instruction.image_id"
        " WHERE pool_closure.pool_id = :pool AND image.state = 'missing'"
    )
    images, instructions = session.execute(
        text("SELECT count(DISTINCT image.id), count(*)" + waiting), {"pool": pool_id}
    ).one()
    first = session.scalars(
        text("SELECT DISTINCT image.source" + waiting + " ORDER BY image.source LIMIT 3"),
        {"pool": pool_id},
    )
    return Missing(images, instructions, tuple(first))


def match_names(directory: Path, names: list[str]) -> dict[str, Path]:
    """Which file of `directory` each of `names` is; names without one are left out."""
    folder = Folder(directory)
    found: dict[str, Path] = {}
    for name in names:
        path = folder.locate(name)
        if path is not None:
            found[name] = path
    left = [name for name in names if name not in found]
    if not left:
        return found
    wanted = Counter(PurePosixPath(name).name for name in left)
    files: dict[str, list[str]] = {}
    for place, _, members in os.walk(directory):
        for member in members:
            if wanted[member] == 1:
                path = Path(place, member).relative_to(directory)
                files.setdefault(member, []).append(path.as_posix())
    for name in left:
        candidates = files.get(PurePosixPath(name).name, [])
        if len(candidates) == 1 and (path := folder.locate(candidates[0])) is not None:
            found[name] = path
    return found
