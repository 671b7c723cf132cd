"""`restore_run`: a backup into any database of the same schema, under new ids and with the same keys."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.backup.archive import (
    FORMAT,
    MANIFEST,
    BackupError,
    backed_up,
    rows_name,
    safe_name,
    total,
)
from comd_platform.backup.mapping import put_rows
from comd_platform.backup.writing import OnProgress
from comd_platform.db.copy import copy_rows
from comd_platform.runs import RunError
from comd_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `rows` are new ones by table; what the database knew already is not repeated."""

    run: str
    rows: dict[str, int]
    images: int
    artifacts: int


def restore_run(
    session: Session,
    settings: Settings,
    file: Path,
    *,
    schema: str,
    name: str | None = None,
    on_progress: OnProgress | None = None,
) -> Restored:
    """Put a backup's run back as `name` (none: its own), all of it or nothing.

    Pictures, prompts, models, benchmarks, the seed pool and answers that the database has already are
    used and not doubled. A branch comes back as a run of its own that has all of its iterations.
    Raises BackupError (damaged, of another schema), RunError (the name is taken).
    """
    try:
        with tarfile.open(file, "r:") as archive, tempfile.TemporaryDirectory() as room:
            manifest = _manifest(archive, file, schema)
            run = name or str(manifest["run"])
            _require_free(session, run)
            unpacked = _unpack(archive, manifest, Path(room), settings, on_progress)
            for table in backed_up():
                _load(session, table.name, Path(room) / rows_name(table.name))
            session.execute(text(_AS_ONE_RUN), {"name": run})
            rows = put_rows(session)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise BackupError(f"{file} is no backup, or damaged: {error}") from error
    except OSError as error:
        raise BackupError(f"{error.filename or file}: {error.strerror or error}") from error
    return Restored(run=run, rows=rows, **unpacked)


# One run of its own, which nobody drives and nobody works at.
_AS_ONE_RUN = """
WITH run AS (
    UPDATE old_run SET
        name = :name,
        config = jsonb_set(config, '{name}', to_jsonb(CAST(:name AS text))),
        parent_id = NULL,
        base_iteration_id = NULL,
        driver = NULL,
        driver_since = NULL
    RETURNING id
), items AS (
    UPDATE old_work_item SET
        worker_id = NULL,
        token = NULL,
        lease_expires_at = NULL,
        rung_at = NULL,
        state = CASE state WHEN 'leased' THEN 'pending' ELSE state END
)
UPDATE old_iteration SET
    run_id = run.id,
    config = jsonb_set(config, '{name}', to_jsonb(CAST(:name AS text)))
FROM run
"""


def _manifest(archive: tarfile.TarFile, file: Path, schema: str) -> dict[str, Any]:
    head = archive.next()
    handle = archive.extractfile(head) if head is not None and head.name == MANIFEST else None
    if handle is None:
        raise BackupError(f"{file} is a tar file, but no backup of comd's")
    manifest: dict[str, Any] = json.load(handle)
    if manifest["format"] != FORMAT:
        raise BackupError(
            f"{file} has the backup format {manifest['format']}; this comd reads {FORMAT}",
            hint=f"It was made by {manifest['made_by']}.",
        )
    if manifest["schema"] != schema:
        raise BackupError(
            f"{file} was made at schema {manifest['schema']}, and this database is at {schema}",
            hint=f"Restore into an empty database with comd db upgrade {manifest['schema']}, using"
            f" {manifest['made_by']}; then upgrade.",
        )
    return manifest


def _require_free(session: Session, run: str) -> None:
    if session.scalar(text("SELECT EXISTS (SELECT FROM run WHERE name = :name)"), {"name": run}):
        raise RunError(f"a run named {run!r} is there already", hint="--name gives it another one.")


def _unpack(
    archive: tarfile.TarFile,
    manifest: dict[str, Any],
    room: Path,
    settings: Settings,
    tell: OnProgress | None,
) -> dict[str, int]:
    """Check every file against the manifest, and put it where it belongs; rows into `room`."""
    expected = {file["path"]: file for file in manifest["files"]}
    whole, done = total(expected.values()), 0
    counts = {"images": 0, "artifacts": 0}
    roots = {
        "rows": room / "rows",
        "images": settings.image_root,
        "artifacts": settings.artifact_root,
    }
    for member in archive:
        if member.name == MANIFEST:
            continue
        entry = expected.pop(safe_name(member.name), None)
        handle = archive.extractfile(member) if member.isreg() else None
        if entry is None or handle is None:
            raise BackupError(f"the backup holds {member.name!r}, which its manifest does not list")
        top, _, rest = member.name.partition("/")
        new = _place(handle, entry, roots[top] / rest)
        if top in counts:
            counts[top] += new
        done += member.size
        if tell is not None:
            tell("reading", done, whole)
    if expected:
        raise BackupError(f"the backup lacks {min(expected)}", hint="It was not copied to its end.")
    return counts


def _place(handle: IO[bytes], entry: dict[str, Any], target: Path) -> bool:
    """Write beside, check, rename; False where the same file lies there already."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _beside(target) as partial:
        with partial.open("wb") as out:
            shutil.copyfileobj(handle, out, 1 << 20)
        with partial.open("rb") as written:
            if hashlib.file_digest(written, "sha256").hexdigest() != entry["sha256"]:
                raise BackupError(f"{entry['path']} in the backup is damaged (its sha256 differs)")
        known = target.exists()
        partial.replace(target)
    return not known


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=target.parent) as room:
        yield Path(room) / target.name


def _load(session: Session, table: str, path: Path) -> None:
    """The rows of a table into the temporary table `old_<table>`, with their old ids."""
    session.execute(text("CREATE TEMPORARY TABLE incoming (document jsonb) ON COMMIT DROP"))
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        copy_rows(session, "incoming", ("document",), ((line,) for line in lines))
    session.execute(
        text(
            f"CREATE TEMPORARY TABLE old_{table} ON COMMIT DROP AS SELECT row.* FROM incoming,"  # noqa: S608
            f' jsonb_populate_record(CAST(NULL AS "{table}"), document) AS row'
        )
    )
    session.execute(text("DROP TABLE incoming"))
