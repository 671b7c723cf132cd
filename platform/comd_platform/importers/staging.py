"""From records to temporary tables: `staged` (one row a turn), then the pictures they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.images.names import ImageError, locate
from comd_platform.images.register import Progress, prepare_arrivals, stage_arrivals
from comd_platform.images.store import ImageStore
from comd_platform.importers.embedded import EmbeddedPictures
from comd_platform.importers.records import (
    BadRecord,
    ImportFailed,
    OnBytes,
    Reader,
    RecordError,
    SourceRecord,
    check_record,
)
from comd_platform.importers.skipped import Refusals
from comd_platform.method.task_types import task_type

_COLUMNS = ("position", "turn", "record", "image", "task_type", "text", "answer")
_TYPES = ("int8", "int4", "text", "text", "text", "text", "text")
_SHOWN = 3


def stage_records(
    session: Session,
    path: Path,
    read: Reader,
    refusals: Refusals,
    *,
    text_only: bool,
    keep_answers: bool,
    embedded: EmbeddedPictures,
    on_bytes: OnBytes,
) -> int:
    """COPY every turn of every usable record to `staged`; returns how many records the file holds."""
    session.execute(
        text(
            "CREATE TEMPORARY TABLE staged (position int8, turn int4, record text, image text,"
            " task_type text, text text, answer text) ON COMMIT DROP"
        )
    )
    records = 0

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal records
        for entry in read(path, on_bytes):
            records += 1
            checked = _checked(entry, text_only=text_only)
            if isinstance(checked, BadRecord):
                refusals.add(checked)
                continue
            image = checked.image
            if checked.picture is not None:
                image = embedded.keep(checked.picture)
            for number, turn in enumerate(checked.turns, start=1):
                yield (
                    checked.position,
                    number,
                    checked.id,
                    image,
                    checked.task_type or task_type(turn.question),
                    turn.question,
                    turn.answer if keep_answers else None,
                )

    copy_rows(session, "staged", _COLUMNS, rows(), _TYPES)
    session.execute(text("ANALYZE staged"))
    return records


def stage_pictures(
    session: Session,
    store: ImageStore,
    directory: Path | None,
    refusals: Refusals,
    *,
    pool_id: int,
    embedded: EmbeddedPictures,
    later: bool,
    link: bool,
    on_pictures: Progress,
) -> int:
    """Fill `arrived` with the pictures that `staged` names; returns how many are not there.

    What is not there waits (`later`), is skipped, or is an error, listing the first few; that is
    settled before the first picture is decoded. Names that the pool's own earlier imports brought a
    picture for need no file.
    """
    prepare_arrivals(session)
    names = list(
        session.scalars(
            text("SELECT DISTINCT image FROM staged WHERE image IS NOT NULL ORDER BY image")
        )
    )
    found: list[tuple[str, Path]] = []
    absent: list[str] = []
    refused: dict[str, ImageError] = {}
    for name in names:
        try:
            file = embedded.find(name)
            if file is None and directory is not None:
                file = locate(directory, name)
        except ImageError as error:
            refused[name] = error
            continue
        if file is None:
            absent.append(name)
        else:
            found.append((name, file))
    _leave_out(session, refusals, refused)
    absent = _not_known(session, pool_id, absent)
    if absent and not later:
        _refuse_absent(session, refusals, absent, len(names), directory)
        absent = []
    unusable = stage_arrivals(session, store, found, link=link, on_progress=on_pictures)
    _leave_out(session, refusals, unusable)
    return len(absent)


def _checked(entry: SourceRecord | BadRecord, *, text_only: bool) -> SourceRecord | BadRecord:
    if isinstance(entry, BadRecord):
        return entry
    try:
        check_record(entry, text_only=text_only)
    except RecordError as error:
        return BadRecord(entry.position, entry.id, error.field, error.reason, error.hint)
    return entry


def _not_known(session: Session, pool_id: int, absent: list[str]) -> list[str]:
    """Those of `absent` for which the pool has no picture; the rest are put into `arrived`.

    A name means the same only within a pool: two data sets may both have a 1.jpg.
    """
    session.execute(
        text(
            "INSERT INTO arrived (source, sha256, path, width, height, format, bytes)"
            " SELECT image.source, image.sha256, image.path, image.width, image.height,"
            " image.format, image.bytes FROM image"
            " WHERE image.state = 'present' AND image.source = ANY(:absent) AND EXISTS"
            " (SELECT FROM instruction WHERE pool_id = :pool AND image_id = image.id)"
            " ON CONFLICT DO NOTHING"
        ),
        {"absent": absent, "pool": pool_id},
    )
    return list(
        session.scalars(
            text(
                "SELECT name FROM unnest(CAST(:absent AS text[])) AS name"
                " WHERE NOT EXISTS (SELECT FROM arrived WHERE source = name) ORDER BY name"
            ),
            {"absent": absent},
        )
    )


def _refuse_absent(
    session: Session, refusals: Refusals, absent: list[str], named: int, directory: Path | None
) -> None:
    later = "--images-later imports the questions now and waits for the pictures."
    if directory is None:
        raise ImportFailed(
            f"{refusals.source} names {len(absent):,} pictures ({_list(absent)})",
            hint=f"--images DIR says where they are; {later}",
        )
    if not refusals.skip:
        position, record = session.execute(
            text(
                "SELECT position, record FROM staged WHERE image = ANY(:absent) ORDER BY 1 LIMIT 1"
            ),
            {"absent": absent},
        ).one()
        first = BadRecord(position, record, "image", "the first")
        raise ImportFailed(
            f"{len(absent):,} of the {named:,} pictures that {refusals.source} names are not in"
            f" {directory}: {_list(absent)} ({first})",
            hint=f"{later} --skip-bad leaves their records out.",
        )
    missing = ImageError(f"is not in {directory}")
    _leave_out(session, refusals, dict.fromkeys(absent, missing))


def _leave_out(session: Session, refusals: Refusals, refused: dict[str, ImageError]) -> None:
    """Refuse every staged record whose picture is among `refused`."""
    if not refused:
        return
    rows = session.execute(
        text(
            "WITH gone AS (DELETE FROM staged WHERE image = ANY(:names)"
            " RETURNING position, record, image)"
            " SELECT DISTINCT position, record, image FROM gone ORDER BY position"
        ),
        {"names": list(refused)},
    ).all()
    for position, record, image in rows:
        error = refused[image]
        refusals.add(BadRecord(position, record, "image", f"{image}: {error.message}", error.hint))


def _list(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
