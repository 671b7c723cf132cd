"""Pictures of a pool that look like a benchmark's: to the temporary table `near_image`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.images.names import ImageError
from comd_platform.images.perceptual import MIN_SIDE, Hashes, near_hashes, perceptual_hash
from comd_platform.images.reading import stored_file
from comd_platform.images.store import ImageStore

_LOG = logging.getLogger(__name__)
_THREADS = 4
_BATCH = 256

# Pictures of the pool's instructions, and of the benchmarks' items.
_POOL = """
SELECT id, path, width, height, state, perceptual_hash FROM image WHERE id IN (
    SELECT image_id
    FROM pool_closure JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
    WHERE pool_closure.pool_id = :pool_id
)
"""
_ITEMS = """
SELECT id, path, width, height, state, perceptual_hash FROM image WHERE id IN (
    SELECT image_id FROM evaluation_item WHERE benchmark_id = ANY(:benchmarks)
)
"""
_HASHED = "SELECT id, perceptual_hash FROM ({whose}) AS picture WHERE perceptual_hash IS NOT NULL"
_UNHASHED = f"""
SELECT id, path FROM ({_POOL} UNION {_ITEMS}) AS picture
WHERE perceptual_hash IS NULL AND state = 'present' AND least(width, height) >= {MIN_SIDE}
"""  # noqa: S608 - built from constants
_KEEP = """
UPDATE image SET perceptual_hash = hashed.hash
FROM unnest(CAST(:ids AS int8[]), CAST(:hashes AS int8[])) AS hashed (id, hash)
WHERE image.id = hashed.id
"""


def stage_near_images(
    session: Session, store: ImageStore, *, pool_id: int, benchmarks: Sequence[int], distance: int
) -> int:
    """Fill `near_image` (image_id, other_id, distance); returns how many pictures could not be read.

    Pictures without a hash are hashed first, and keep theirs.
    """
    given = {"pool_id": pool_id, "benchmarks": list(benchmarks)}
    unread = _hash_missing(session, store, given)
    mine, hashes = _hashes(session, _POOL, given)
    theirs, others = _hashes(session, _ITEMS, given)
    pairs = (
        (mine[left], theirs[right], apart)
        for left, right, apart in near_hashes(hashes, others, distance)
        if mine[left] != theirs[right]
    )
    columns = ("image_id", "other_id", "distance")
    copy_rows(session, "near_image", columns, pairs, ("int8",) * 3)
    return unread


def _hashes(session: Session, whose: str, given: dict[str, object]) -> tuple[list[int], Hashes]:
    rows = session.execute(text(_HASHED.format(whose=whose)), given).all()
    return [row.id for row in rows], np.array([row.perceptual_hash for row in rows], dtype=np.int64)


def _hash_missing(session: Session, store: ImageStore, given: dict[str, object]) -> int:
    """Hash what is large enough and has none; a picture that cannot be read is logged, and counted."""
    rows = session.execute(text(_UNHASHED), given).tuples().all()
    unread = 0
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        found = dict(_hash_files(store, batch))
        unread += len(batch) - len(found)
        session.execute(text(_KEEP), {"ids": list(found), "hashes": list(found.values())})
    return unread


def _hash_files(
    store: ImageStore, files: Sequence[tuple[int, str]]
) -> Iterator[tuple[int, int | None]]:
    def one(path: str) -> int | OSError | ImageError | None:
        try:
            with Image.open(stored_file(store.root, path)) as image:
                return perceptual_hash(image)
        except (OSError, ImageError) as error:  # gone, damaged or led astray since it was imported
            return error

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="comd-hashes") as threads:
        hashes = threads.map(one, [path for _, path in files])
        for (image_id, path), found in zip(files, hashes, strict=True):
            if isinstance(found, OSError | ImageError):
                _LOG.warning("picture %s (%s) cannot be read: %s", image_id, path, found)
            else:
                yield image_id, found
