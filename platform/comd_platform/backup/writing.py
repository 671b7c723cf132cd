"""`backup_run`: everything that a run stands on, as one file."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.backup.archive import (
    FORMAT,
    MANIFEST,
    WEIGHTS,
    BackupError,
    backed_up,
    file_sha256,
    rows_name,
    total,
)
from comd_platform.backup.plan import CONDITIONS, keep
from comd_platform.runs import find_run
from comd_platform.settings import Settings

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What was written; `rows` by table, of those that have any."""

    file: Path
    bytes: int
    rows: dict[str, int]
    images: int
    artifacts: int


def backup_run(
    session: Session,
    settings: Settings,
    run: str,
    out: Path,
    *,
    schema: str,
    on_progress: OnProgress | None = None,
) -> BackedUp:
    """Write a run to `out`, complete or not at all. `schema` is the database's revision.

    The session's transaction should be REPEATABLE READ, so that a run which goes on meanwhile is
    seen as of one moment. Models that were given (the teacher, the untuned student) are named, not
    copied. Raises RunError, BackupError.
    """
    found = find_run(session, run)
    keep(session, found.id)
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=out.parent) as room:
            rows = _write_rows(session, found.id, Path(room))
            files = [
                *(_entry(name, path) for name, path in _tables(Path(room), rows)),
                *_images(session, settings.image_root),
                *_artifacts(session, settings.artifact_root),
            ]
            manifest = {
                "format": FORMAT,
                "made_by": f"comd {version('comd')}",
                "schema": schema,
                "run": run,
                "rows": rows,
                "files": [
                    {key: value for key, value in file.items() if key != "at"} for file in files
                ],
            }
            partial = Path(room) / out.name
            _pack(partial, manifest, files, on_progress)
            partial.replace(out)
    except OSError as error:
        raise BackupError(
            f"cannot back up to {out}: {error.filename or ''} {error.strerror}"
        ) from error
    return BackedUp(
        file=out,
        bytes=out.stat().st_size,
        rows={table: count for table, count in rows.items() if count},
        images=sum(file["path"].startswith("images/") for file in files),
        artifacts=sum(file["path"].startswith("artifacts/") for file in files),
    )


def _write_rows(session: Session, run_id: int, room: Path) -> dict[str, int]:
    (room / "rows").mkdir()
    counts: dict[str, int] = {}
    for table in backed_up():
        keys = ", ".join(column.name for column in table.primary_key)
        statement = (
            f'SELECT CAST(to_jsonb("{table.name}") AS text) FROM "{table.name}"'  # noqa: S608
            f" WHERE {CONDITIONS[table.name]} ORDER BY {keys}"
        )
        found = session.execute(
            text(statement),
            {"run": run_id},
            execution_options={"stream_results": True, "yield_per": 2000},
        )
        count = 0
        # Without a time in the header: the same rows give the same bytes.
        with (
            (room / rows_name(table.name)).open("wb") as raw,
            gzip.GzipFile("", "wb", fileobj=raw, compresslevel=5, mtime=0) as handle,
        ):
            for (document,) in found:
                handle.write(document.encode() + b"\n")
                count += 1
        counts[table.name] = count
    return counts


def _tables(room: Path, rows: dict[str, int]) -> Iterator[tuple[str, Path]]:
    for table in rows:
        yield rows_name(table), room / rows_name(table)


def _images(session: Session, root: Path) -> Iterator[dict[str, Any]]:
    """Their names hold their hashes already."""
    statement = f"SELECT path, sha256, bytes FROM image WHERE {CONDITIONS['image']} ORDER BY path"  # noqa: S608
    for path, sha256, size in session.execute(text(statement)):
        if path is not None:
            yield {"path": f"images/{path}", "sha256": sha256, "bytes": size, "at": root / path}


def _artifacts(session: Session, root: Path) -> Iterator[dict[str, Any]]:
    """The files of every checkpoint, and the training set that it came from."""
    statement = (
        f"SELECT path FROM checkpoint WHERE {CONDITIONS['checkpoint']}"  # noqa: S608
        " UNION SELECT examples_path FROM training_run"
        f" WHERE examples_path IS NOT NULL AND {CONDITIONS['training_run']} ORDER BY 1"
    )
    for (name,) in session.execute(text(statement)).all():
        place = root / name
        if not place.exists():
            raise BackupError(
                f"{place} is gone, which the run stands on",
                hint="COMD_ARTIFACTS says where they are.",
            )
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and path.suffix in WEIGHTS:
                yield _entry(f"artifacts/{path.relative_to(root).as_posix()}", path)


def _entry(name: str, path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    return {"path": name, "sha256": file_sha256(path), "bytes": size, "at": path}


def _pack(
    out: Path, manifest: dict[str, Any], files: list[dict[str, Any]], tell: OnProgress | None
) -> None:
    whole, done = total(files), 0
    with tarfile.open(out, "w") as archive:
        described = (json.dumps(manifest, indent=1) + "\n").encode()
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(described)
        archive.addfile(head, io.BytesIO(described))
        for file in files:
            member = tarfile.TarInfo(file["path"])
            member.size = file["bytes"]
            with file["at"].open("rb") as handle:
                archive.addfile(member, handle)
            done += member.size
            if tell is not None:
                tell("writing", done, whole)
