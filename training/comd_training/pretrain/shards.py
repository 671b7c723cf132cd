"""Captions cut into shards of Parquet, and the phrases of each: what a killed filter goes on from.

    WORK/inputs.json           which files, as they were; written when all of `pairs/` stands
    WORK/pairs/00000.parquet   pair (64-bit key), id, image, caption
    WORK/phrases-<x>/00000.parquet   pair, phrase; <x> names the extractor

A shard is written aside and renamed, so one that stands is whole. Doing a shard twice, even at the
same time, gives the same rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from comd_platform.importers.records import ImportFailed
from comd_training.pretrain.pairs import BadPair, Pair, read_pairs
from comd_training.pretrain.phrases import Extractor

SHARD_PAIRS = 20_000

_PAIRS = pa.schema(
    [("pair", pa.uint64()), ("id", pa.string()), ("image", pa.string()), ("caption", pa.string())]
)
_PHRASES = pa.schema([("pair", pa.uint64()), ("phrase", pa.string())])


@dataclass(frozen=True, slots=True)
class Cut:
    """How many records were read, and how many of them hold no pair."""

    records: int
    unusable: int
    shards: int


def cut_into_shards(
    inputs: Sequence[Path],
    work: Path,
    *,
    skip_bad: bool = False,
    on_records: Callable[[int], None] = lambda _: None,
) -> Cut:
    """Write `work/pairs`; what already stands there from the same files is taken as it is.

    Raises ImportFailed for a file that cannot be read and, unless `skip_bad`, for the first record
    without a pair. With it they are listed in `work/skipped.jsonl`.
    """
    told = {"files": [_identity(path) for path in inputs], "skip_bad": skip_bad}
    manifest = work / "inputs.json"
    if manifest.exists():
        standing = json.loads(manifest.read_text())
        if standing["inputs"] == told:
            return Cut(**standing["cut"])
    shutil.rmtree(work, ignore_errors=True)
    (work / "pairs").mkdir(parents=True)
    skipped = work / "skipped.jsonl" if skip_bad else None
    counts = {"records": 0, "unusable": 0}
    shards = 0
    pairs = _usable(inputs, skipped, counts)
    while rows := list(islice(pairs, SHARD_PAIRS)):
        write_table(work / "pairs" / f"{shards:05}.parquet", _pairs_table(rows))
        shards += 1
        on_records(counts["records"])
    cut = Cut(counts["records"], counts["unusable"], shards)
    write_text(manifest, json.dumps({"inputs": told, "cut": asdict(cut)}, indent=1))
    return cut


def _usable(inputs: Sequence[Path], skipped: Path | None, counts: dict[str, int]) -> Iterator[Pair]:
    for path in inputs:
        for found in read_pairs(path):
            counts["records"] += 1
            if isinstance(found, Pair):
                yield found
                continue
            counts["unusable"] += 1
            _refuse(path, found, skipped)


def _refuse(path: Path, bad: BadPair, skipped: Path | None) -> None:
    if skipped is None:
        raise ImportFailed(
            f"{path}, record {bad.position}: {bad.reason}",
            hint="--skip-bad leaves such records out and lists them.",
        )
    with skipped.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"file": str(path), **asdict(bad)}) + "\n")


def _identity(path: Path) -> list[str | int]:
    try:
        found = path.stat()
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror}") from error
    return [str(path.absolute()), found.st_size, found.st_mtime_ns]


def phrases_folder(work: Path, model: str) -> Path:
    """Where the phrases of one extractor lie."""
    return work / f"phrases-{hashlib.sha256(model.encode()).hexdigest()[:8]}"


def missing_shards(work: Path, model: str) -> list[str]:
    """The names of shards whose phrases are still to be found, in order."""
    folder = phrases_folder(work, model)
    standing = {path.name for path in folder.glob("*.parquet")}
    return sorted(
        path.name for path in (work / "pairs").glob("*.parquet") if path.name not in standing
    )


def extract_shard(work: Path, model: str, shard: str, extractor: Extractor) -> None:
    """Find the phrases of one shard and write them, unless they stand."""
    target = phrases_folder(work, model) / shard
    if target.exists():
        return
    pairs = pq.read_table(work / "pairs" / shard, columns=["pair", "caption"])
    keys: list[int] = pairs["pair"].to_pylist()
    rows = [
        (key, phrase)
        for key, phrases in zip(keys, extractor.phrases(pairs["caption"].to_pylist()), strict=True)
        for phrase in phrases
    ]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], []]
    target.parent.mkdir(exist_ok=True)
    write_table(target, pa.table(dict(zip(_PHRASES.names, columns, strict=True)), schema=_PHRASES))


def write_table(path: Path, table: pa.Table) -> None:
    """A Parquet file that is whole, or not there."""
    aside = _aside(path)
    pq.write_table(table, aside, compression="zstd")
    aside.rename(path)


def write_text(path: Path, text: str) -> None:
    """A text file that is whole, or as it was."""
    aside = _aside(path)
    aside.write_text(text, encoding="utf-8")
    aside.rename(path)


def _aside(path: Path) -> Path:
    # Two workers may write one shard at the same time.
    return path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")


def _pairs_table(rows: Sequence[Pair]) -> Any:
    return pa.table(
        {
            "pair": [row.key for row in rows],
            "id": [row.id for row in rows],
            "image": [row.image for row in rows],
            "caption": [row.caption for row in rows],
        },
        schema=_PAIRS,
    )
