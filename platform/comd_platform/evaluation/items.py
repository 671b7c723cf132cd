"""Held-out items from a file: `{"id", "image"?, "question", "answer" | "answers", "groups"?}`.

A benchmark is a fixed thing: its fingerprint covers every item and the metric, so that two scores
under one name are always scores on the same items.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.db.engine import transaction
from comd_platform.errors import ComdError
from comd_platform.evaluation.item_files import Item, read_items
from comd_platform.evaluation.scoring import METRICS
from comd_platform.images.names import ImageError, locate
from comd_platform.images.register import register_images
from comd_platform.images.store import ImageStore
from comd_platform.settings import Settings

KIND = "custom"


class BenchmarkError(ComdError):
    """A benchmark that cannot be imported."""


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """What an import of items did; `new` is false where the very same items were there already."""

    benchmark_id: int
    name: str
    items: int
    images: int
    new: bool


def import_benchmark(
    engine: Engine,
    settings: Settings,
    *,
    path: Path,
    images: Path | None = None,
    name: str | None = None,
    metric: str = "normalized",
    link: bool = False,
) -> BenchmarkReport:
    """Import the items of a JSON or JSONL file as benchmark `name` (default: the file's stem).

    All or nothing, and idempotent. Raises BenchmarkError for items that cannot be used, for a name
    that stands for other items, and for items that are there under another name.
    """
    name = path.stem if name is None else name
    if not name.strip() or not name.isprintable():
        raise BenchmarkError(f"{name!a} cannot be a benchmark's name", hint="--name gives another.")
    if metric not in METRICS:
        raise BenchmarkError(f"there is no metric {metric!r}", hint=f"Known: {', '.join(METRICS)}.")
    items = list(read_items(path))
    if not items:
        raise BenchmarkError(f"{path} holds no item")
    files = _find_images(path, images, items)
    with transaction(engine) as session:
        # One import of benchmarks at a time: name and fingerprint are both unique.
        session.execute(text("LOCK TABLE benchmark IN SHARE ROW EXCLUSIVE MODE"))
        image_ids = register_images(session, ImageStore(settings.image_root), files, link=link)
        fingerprint = _fingerprint(items, metric, _contents(session))
        known = _known(session, name, fingerprint)
        if known is not None:
            return BenchmarkReport(known, name, len(items), len(files), new=False)
        benchmark_id = _insert(session, name, metric, fingerprint, items, image_ids)
    return BenchmarkReport(benchmark_id, name, len(items), len(files), new=True)


def _find_images(path: Path, directory: Path | None, items: list[Item]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for item in items:
        if item.image is None or item.image in files:
            continue
        if directory is None:
            raise BenchmarkError(
                f"{path}: item {item.key!r} names a picture", hint="--images DIR says where it is."
            )
        try:
            file = locate(directory, item.image)
        except ImageError as error:
            raise BenchmarkError(f"{path}: item {item.key!r}: {error}", hint=error.hint) from error
        if file is None:
            raise BenchmarkError(f"{path}: item {item.key!r}: {item.image} is not in {directory}")
        files[item.image] = file
    return files


def _contents(session: Session) -> dict[str, str]:
    rows = session.execute(text("SELECT source, sha256 FROM arrived")).tuples()
    return dict(rows.all())


def _fingerprint(items: list[Item], metric: str, contents: Mapping[str, str]) -> str:
    """A hash of metric and items, whatever their order and whatever their pictures are called."""
    document = [
        [item.key, contents.get(item.image or ""), item.question, item.answers, item.groups]
        for item in sorted(items, key=lambda item: item.key)
    ]
    canonical = json.dumps([KIND, metric, document], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _known(session: Session, name: str, fingerprint: str) -> int | None:
    """The benchmark that this is already. Raises BenchmarkError where name and items disagree."""
    rows = session.execute(
        text(
            "SELECT id, name, fingerprint FROM benchmark"
            " WHERE name = :name OR fingerprint = :fingerprint"
        ),
        {"name": name, "fingerprint": fingerprint},
    ).all()
    for row in rows:
        if row.name == name and row.fingerprint != fingerprint:
            raise BenchmarkError(
                f"the benchmark {name!r} holds other items, or is scored by another metric",
                hint="A benchmark does not change, or its scores could not be compared: --name NAME"
                " imports this one under another name.",
            )
    for row in rows:
        if row.name != name:
            raise BenchmarkError(
                f"these items are there already, as the benchmark {row.name!r}",
                hint=f"Use the name {row.name}.",
            )
        return int(row.id)
    return None


def _insert(
    session: Session,
    name: str,
    metric: str,
    fingerprint: str,
    items: list[Item],
    image_ids: Mapping[str, int],
) -> int:
    benchmark_id = session.execute(
        text(
            "INSERT INTO benchmark (name, kind, metric, fingerprint)"
            " VALUES (:name, :kind, :metric, :fingerprint) RETURNING id"
        ),
        {"name": name, "kind": KIND, "metric": metric, "fingerprint": fingerprint},
    ).scalar_one()

    def rows() -> Iterator[tuple[object, ...]]:
        for item in items:
            image_id = image_ids[item.image] if item.image is not None else None
            answers, groups = json.dumps(item.answers), json.dumps(item.groups)
            yield benchmark_id, item.key, image_id, item.question, answers, groups

    columns = ("benchmark_id", "key", "image_id", "question", "answers", "groups")
    copy_rows(session, "evaluation_item", columns, rows())
    return int(benchmark_id)
