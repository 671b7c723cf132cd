"""`export_pool`: a pool as a file that other tools read, and its pictures beside it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.exporters.registry import ExportError, find_format
from comd_platform.exporters.rows import NO_FILTERS, Answers, Filters, Row, Scope, read_pictures
from comd_platform.exporters.turns import Layout
from comd_platform.images.store import ImageStore
from comd_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class ExportManifest:
    """What was written. `unanswered` instructions were left out: they have no answer of the kind asked
    for, or an empty one. `images_missing` pictures have not come yet; records name their source."""

    path: Path
    sha256: str
    records: int
    turns: int
    unanswered: int
    images: int
    images_missing: int
    generations: dict[int, int]
    task_types: dict[str, int]


def export_pool(
    session: Session,
    settings: Settings,
    *,
    pool_id: int,
    out: Path,
    format: str = "llava",  # noqa: A002 - the command line's word
    scope: Scope = "cache",
    answers: Answers = "reference",
    layout: Layout = "dialogues",
    seed: int = 0,
    images: Path | None = None,
    link: bool = False,
    prefix: str = "",
    assessed_in: int | None = None,
    filters: Filters = NO_FILTERS,
) -> ExportManifest:
    """Write the instructions of a pool to `out`, complete or not at all.

    `answers`: a model's id, "reference", or None for questions alone (then `layout` must be single).
    Pictures are named by `prefix` and their path under the image root: with `images` they are copied
    (or hard-linked: `link`) to that directory, else the image root itself serves as the directory of
    pictures. `assessed_in` is the iteration whose scores are written and filtered by. The same rows
    give the same bytes. Raises ExportError.
    """
    write = find_format(format).writer(settings.image_root)
    if answers is None and layout == "dialogues":
        raise ExportError(
            "questions without answers make no dialogue", hint="Export them as single turns."
        )
    _require(session, pool_id, answers)
    tally = _Tally()
    store = ImageStore(settings.image_root)

    def kept() -> Generator[list[Row], None, None]:
        found = read_pictures(
            session,
            pool_id,
            scope=scope,
            answers=answers,
            assessed_in=assessed_in,
            filters=filters,
            prefix=prefix,
        )
        with closing(found) as pictures:
            for rows in pictures:
                chosen = tally.keep(rows, need_answer=answers is not None)
                if chosen:
                    _place_image(store, chosen[0], images, link=link)
                    yield chosen

    try:
        with closing(kept()) as chosen, _beside(out) as partial:
            records = write(partial, chosen, layout, seed)
            with partial.open("rb") as handle:
                sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
            partial.replace(out)
    except OSError as error:
        raise ExportError(f"cannot export to {out}: {error.strerror or error}") from error
    return ExportManifest(
        path=out,
        sha256=sha256,
        records=records,
        turns=tally.turns,
        unanswered=tally.unanswered,
        images=tally.images,
        images_missing=tally.missing,
        generations=dict(sorted(tally.generations.items())),
        task_types=dict(sorted(tally.task_types.items())),
    )


class _Tally:
    """Counts while rows stream by."""

    def __init__(self) -> None:
        self.turns = self.unanswered = self.images = self.missing = 0
        self.generations: Counter[int] = Counter()
        self.task_types: Counter[str] = Counter()

    def keep(self, rows: list[Row], *, need_answer: bool) -> list[Row]:
        """Those of one picture's rows that are exported."""
        kept = [row for row in rows if not need_answer or (row.answer or "").strip()]
        self.turns += len(kept)
        self.unanswered += len(rows) - len(kept)
        self.generations.update(row.generation for row in kept)
        self.task_types.update(row.task_type for row in kept)
        if kept and kept[0].image is not None:
            self.images += not kept[0].missing
            self.missing += kept[0].missing
        return kept


def _require(session: Session, pool_id: int, answers: Answers) -> None:
    wanted = {"pool": pool_id, "model": answers if isinstance(answers, int) else None}
    for table, key in wanted.items():
        statement = text(f"SELECT EXISTS (SELECT FROM {table} WHERE id = :id)")  # noqa: S608
        if key is not None and not session.scalar(statement, {"id": key}):
            raise ExportError(f"there is no {table} {key}")


def _place_image(store: ImageStore, row: Row, directory: Path | None, *, link: bool) -> None:
    if directory is None or row.stored is None:
        return
    target = directory / row.stored
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    if link:
        partial.hardlink_to(store.absolute(row.stored))
    else:
        shutil.copyfile(store.absolute(row.stored), partial)
    partial.replace(target)


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A place on the same file system to write to, gone afterwards unless it was renamed to `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as room:
        yield Path(room) / out.name
