"""From records to temporary tables: `staged` (one row a turn), then the pictures they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.images.names import Folder, ImageError
from comd_platform.images.register import prepare_arrivals, stage_arrivals
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
_BATCH = 10_000  # names in memory at a time

Progress = Callable[[int, int], None]  # (pictures done, pictures in all)
_Find = Callable[[str], Path | None]


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
    rehash: bool,
    on_pictures: Progress,
) -> int:
    """Fill `arrived` with the pictures that `staged` names; returns how many are not there.

    What is not there waits (`later`), is skipped, or is an error, listing the first few; that is
    settled before the first picture is read. Names that the pool's own earlier imports brought a
    picture for need no file.
    """
    prepare_arrivals(session)
    folder = Folder(directory) if directory is not None else None

    def find(name: str) -> Path | None:
        return embedded.find(name) or (folder.locate(name) if folder is not None else None)

    named = _name_pictures(session)
    _leave_out(session, refusals, _note_absent(session, find))
    waiting = _wait_or_refuse(session, refusals, directory, pool_id, named, later=later)
    total = session.scalar(text("SELECT count(*) FROM named")) or 0
    unusable = stage_arrivals(
        session,
        store,
        _files(session, find),
        link=link,
        rehash=rehash,
        on_done=lambda done: on_pictures(done, total),
    )
    _leave_out(session, refusals, unusable)
    return waiting


def _checked(entry: SourceRecord | BadRecord, *, text_only: bool) -> SourceRecord | BadRecord:
    if isinstance(entry, BadRecord):
        return entry
    try:
        check_record(entry, text_only=text_only)
    except RecordError as error:
        return BadRecord(entry.position, entry.id, error.field, error.reason, error.hint)
    return entry


def _name_pictures(session: Session) -> int:
    """`named`: the distinct pictures of `staged`, in an order that batches can go by; their number."""
    for table in ("named", "absent"):
        session.execute(
            text(
                f'CREATE TEMPORARY TABLE {table} (name text COLLATE "C" PRIMARY KEY) ON COMMIT DROP'
            )
        )
    return int(
        session.connection()
        .execute(
            text("INSERT INTO named SELECT DISTINCT image FROM staged WHERE image IS NOT NULL")
        )
        .rowcount
    )


def _batches(session: Session, names: str) -> Iterator[list[str]]:
    """The names of a table in their order, never all of them in memory."""
    last = ""
    while batch := list(
        session.scalars(
            text(f"SELECT name FROM {names} WHERE name > :last ORDER BY name LIMIT {_BATCH}"),  # noqa: S608
            {"last": last},
        )
    ):
        yield batch
        last = batch[-1]


def _note_absent(session: Session, find: _Find) -> dict[str, ImageError]:
    """Move the names without a file to `absent`, and take out and return those not to look for."""
    refused: dict[str, ImageError] = {}
    for batch in _batches(session, "named"):
        absent: list[tuple[str]] = []
        for name in batch:
            try:
                if find(name) is None:
                    absent.append((name,))
            except ImageError as error:
                refused[name] = error
        copy_rows(session, "absent", ("name",), absent, ("text",))
    session.execute(
        text("DELETE FROM named WHERE name = ANY(:names) OR name IN (SELECT name FROM absent)"),
        {"names": list(refused)},
    )
    return refused


def _files(session: Session, find: _Find) -> Iterator[tuple[str, Path]]:
    for batch in _batches(session, "named"):
        for name in batch:
            file = find(name)
            if file is None:
                raise ImportFailed(
                    f"{name} was there when the import began, and is gone",
                    hint="Import again when nobody is changing the pictures.",
                )
            yield name, file


def _wait_or_refuse(
    session: Session,
    refusals: Refusals,
    directory: Path | None,
    pool_id: int,
    named: int,
    *,
    later: bool,
) -> int:
    """Settle what becomes of `absent`: how many wait, else none; or ImportFailed."""
    _take_known(session, pool_id)
    absent = session.scalar(text("SELECT count(*) FROM absent")) or 0
    if absent and not later:
        _refuse_absent(session, refusals, absent, named, directory)
    return absent if later else 0


def _take_known(session: Session, pool_id: int) -> None:
    """Move those of `absent` for which the pool has a picture to `arrived`.

    A name means the same only within a pool: two data sets may both have a 1.jpg.
    """
    session.execute(
        text(
            "INSERT INTO arrived (source, sha256, path, width, height, format, bytes)"
            " SELECT image.source, image.sha256, image.path, image.width, image.height,"
            " image.format, image.bytes FROM image JOIN absent ON absent.name = image.source"
            " WHERE image.state = 'present' AND EXISTS"
            " (SELECT FROM instruction WHERE pool_id = :pool AND image_id = image.id)"
            " ON CONFLICT DO NOTHING"
        ),
        {"pool": pool_id},
    )
    session.execute(text("DELETE FROM absent USING arrived WHERE arrived.source = absent.name"))


def _refuse_absent(
    session: Session, refusals: Refusals, absent: int, named: int, directory: Path | None
) -> None:
    later = "--images-later imports the questions now and waits for the pictures."
    first_names = session.scalars(text(f"SELECT name FROM absent ORDER BY name LIMIT {_SHOWN}"))  # noqa: S608
    shown = ", ".join(first_names) + (", …" if absent > _SHOWN else "")
    if directory is None:
        raise ImportFailed(
            f"{refusals.source} names {absent:,} pictures ({shown})",
            hint=f"--images DIR says where they are; {later}",
        )
    if not refusals.skip:
        position, record = session.execute(
            text(
                "SELECT position, record FROM staged JOIN absent ON name = image ORDER BY 1 LIMIT 1"
            )
        ).one()
        first = BadRecord(position, record, "image", "the first")
        raise ImportFailed(
            f"{absent:,} of the {named:,} pictures that {refusals.source} names are not in"
            f" {directory}: {shown} ({first})",
            hint=f"{later} --skip-bad leaves their records out.",
        )
    missing = ImageError(f"is not in {directory}")
    for batch in _batches(session, "absent"):
        _leave_out(session, refusals, dict.fromkeys(batch, missing))


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
