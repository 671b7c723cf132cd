"""Phrases of all shards: by processes of this machine, or by whoever else writes them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Protocol

from comd_training.pretrain.phrases import Extractor, make_extractor
from comd_training.pretrain.shards import extract_shard, missing_shards

OnShards = Callable[[int, int], None]

ASKED_AT_ONCE = 256
AGAIN_AFTER = 300.0  # seconds; a shard takes spaCy less than one minute


class Spread(Protocol):
    """Has shards done elsewhere; the files say what came of it."""

    def ask(self, work: Path, model: str, shards: Sequence[str]) -> None:
        """Have these shards done; asking again for one that is being done is harmless."""
        ...

    def check(self, work: Path, model: str) -> None:
        """Raise what went wrong on the other side."""
        ...


def extract_here(work: Path, model: str, processes: int | None, on_shards: OnShards) -> None:
    """Every missing shard, on `processes` of this machine (none: one a core)."""
    left = missing_shards(work, model)
    workers = min(processes or os.cpu_count() or 1, len(left))
    on_shards(0, len(left))
    if workers <= 1:
        for done, shard in enumerate(left, start=1):
            extract_one(str(work), model, shard)
            on_shards(done, len(left))
        return
    # Not forked: spaCy and DuckDB may hold threads by then.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        asked = [pool.submit(extract_one, str(work), model, shard) for shard in left]
        try:
            for done, future in enumerate(as_completed(asked), start=1):
                future.result()
                on_shards(done, len(left))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def extract_elsewhere(
    work: Path,
    model: str,
    spread: Spread,
    on_shards: OnShards,
    *,
    again_after: float = AGAIN_AFTER,
    poll: float = 0.2,
) -> None:
    """Every missing shard, by others who see the same folder.

    `ASKED_AT_ONCE` are asked for ahead; where none has come for `again_after` seconds, those are
    asked for again. Raises what `spread.check` does.
    """
    left = missing_shards(work, model)
    total, seen = len(left), len(left)
    asked: set[str] = set()
    moved = time.monotonic()
    while left:
        spread.check(work, model)
        if len(left) < seen:
            seen, moved = len(left), time.monotonic()
        elif time.monotonic() - moved > again_after:
            asked.clear()
            moved = time.monotonic()
        ahead = [shard for shard in left[:ASKED_AT_ONCE] if shard not in asked]
        if ahead:
            spread.ask(work, model, ahead)
            asked.update(ahead)
        on_shards(total - len(left), total)
        time.sleep(poll)
        left = missing_shards(work, model)
    on_shards(total, total)


def extract_one(work: str, model: str, shard: str) -> None:
    """One shard in this process, which keeps the extractor for the next."""
    extract_shard(Path(work), model, shard, _extractor(model))


@cache
def _extractor(model: str) -> Extractor:
    return make_extractor(model)
