"""`comd backup` and `comd restore`: a run as one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, RunName
from comd_workers.cli.output import print_json


def backup(
    run: RunName,
    file: Annotated[Path, typer.Argument(help="The file to write, a .tar.")],
    as_json: AsJson = False,
) -> None:
    """Write a run to one file: every row it stands on, its pictures, its checkpoints.

    A run may go on meanwhile; the file holds one moment of it. Models that were given (teacher,
    untuned student) are named in it, not copied.
    """
    from sqlalchemy.orm import Session

    import comd_migrations
    from comd_platform.backup import backup_run
    from comd_workers.cli.stages import StageBars

    with database() as (engine, settings), StageBars() as bars:
        schema = comd_migrations.head_revision()
        with Session(engine.execution_options(isolation_level="REPEATABLE READ")) as session:
            done = backup_run(session, settings, run, file, schema=schema, on_progress=bars)
    if as_json:
        print_json(done)
    else:
        rows = sum(done.rows.values())
        typer.echo(
            f"{done.file}: {rows:,} rows, {done.images:,} pictures, {done.artifacts:,} files of "
            f"checkpoints; {done.bytes / 1e6:,.1f} MB. Back with: comd restore {done.file}"
        )


def restore(
    file: Annotated[Path, typer.Argument(help="What `comd backup` wrote.")],
    name: Annotated[
        str | None, typer.Option("--name", help="The run's name here; none: its own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup's run back, into this database or another: new ids, the same keys, all or nothing."""
    import comd_migrations
    from comd_platform.backup import restore_run
    from comd_platform.db.engine import transaction
    from comd_workers.cli.stages import StageBars

    with database() as (engine, settings), StageBars() as bars, transaction(engine) as session:
        schema = comd_migrations.head_revision()
        done = restore_run(session, settings, file, schema=schema, name=name, on_progress=bars)
    if as_json:
        print_json(done)
    else:
        rows = sum(done.rows.values())
        typer.echo(f"run {done.run} stands: {rows:,} rows; go on with: comd iterate {done.run}")
