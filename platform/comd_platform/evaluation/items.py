"""Held-out items into the database, from whatever files a benchmark's kind reads.

A benchmark is a fixed thing: its fingerprint covers every item and the metric, so that two scores
under one name are always scores on the same items.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.db.engine import transaction
from comd_platform.errors import ComdError
from comd_platform.evaluation.benchmarks import BENCHMARKS
from comd_platform.evaluation.item import Item
from comd_platform.images.names import ImageError, locate
from comd_platform.images.register import PictureRefused, register_images
from comd_platform.images.store import ImageStore
from comd_platform.settings import Settings


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
    kind: str = "custom",
    metric: str | None = None,
    without_images: bool = False,
    link: bool = False,
) -> BenchmarkReport:
    """Import items as benchmark `name` (default: the kind's, of a custom one the file's stem).

    `metric` is one of those that the kind knows, by default its first. `without_images`: ask about
    no picture, which is another benchmark.

    All or nothing, and idempotent. Raises BenchmarkError for items that cannot be used, for a name
    that stands for other items, and for items that are there under another name.
    """
    if kind not in BENCHMARKS:
        raise BenchmarkError(
            f"there is no kind of benchmark {kind!r}", hint=f"Known: {', '.join(BENCHMARKS)}."
        )
    benchmark = BENCHMARKS[kind]
    if name is None:
        name = path.stem if kind == "custom" else kind
    if not name.strip() or not name.isprintable():
        raise BenchmarkError(f"{name!a} cannot be a benchmark's name", hint="--name gives another.")
    metric = metric or benchmark.metrics[0]
    if metric not in benchmark.metrics:
        raise BenchmarkError(
            f"there is no metric {metric!r} for {kind}",
            hint=f"Known: {', '.join(benchmark.metrics)}.",
        )
    items = list(benchmark.read_items(path, metric))
    if without_images:
        items = [replace(item, image=None) for item in items]
    if not items:
        raise BenchmarkError(f"{path} holds no item")
    files = _find_images(path, images, items)
    with transaction(engine) as session:
        # One import of benchmarks at a time: name and fingerprint are both unique.
        session.execute(text("LOCK TABLE benchmark IN SHARE ROW EXCLUSIVE MODE"))
        try:
            image_ids = register_images(session, ImageStore(settings.image_root), files, link=link)
        except PictureRefused as error:
            key = next(item.key for item in items if item.image == error.name)
            raise BenchmarkError(f"{path}: item {key!r}: {error}", hint=error.hint) from error
        fingerprint = _fingerprint(items, kind, metric, _contents(session))
        known = _known(session, name, fingerprint)
        if known is not None:
            return BenchmarkReport(known, name, len(items), len(files), new=False)
        benchmark_id = _insert(session, name, kind, metric, fingerprint, items, image_ids)
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


def _fingerprint(items: list[Item], kind: str, metric: str, contents: Mapping[str, str]) -> str:
    """A hash of metric and items, whatever their order and whatever their pictures are called."""
    document: list[list[object]] = []
    for item in sorted(items, key=lambda item: item.key):
        said: list[object] = [
            item.key,
            contents.get(item.image or ""),
            item.question,
            item.answers,
            item.groups,
        ]
        more: list[object] = [item.choices, item.context]
        # Items without either have the fingerprint that they had before there were any.
        document.append(said + more if any(more) else said)
    canonical = json.dumps([kind, metric, document], sort_keys=True, separators=(",", ":"))
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
    kind: str,
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
        {"name": name, "kind": kind, "metric": metric, "fingerprint": fingerprint},
    ).scalar_one()

    def rows() -> Iterator[tuple[object, ...]]:
        for item in items:
            image_id = image_ids[item.image] if item.image is not None else None
            answers, groups = json.dumps(item.answers), json.dumps(item.groups)
            choices = None if item.choices is None else json.dumps(item.choices)
            asked = (item.key, image_id, item.question, answers, groups, choices, item.context)
            yield benchmark_id, *asked

    asked = ("key", "image_id", "question", "answers", "groups", "choices", "context")
    copy_rows(session, "evaluation_item", ("benchmark_id", *asked), rows())
    return int(benchmark_id)
