"""`comd failures` and `comd dashboard`."""

from __future__ import annotations

from typing import Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, RunName
from comd_workers.cli.output import print_json, table


def failures(run: RunName, as_json: AsJson = False) -> None:
    """What failed in a run or was set aside, by phase and reason."""
    from comd_platform.db.engine import transaction
    from comd_platform.reports.progress import run_failures
    from comd_platform.runs import find_run

    with database() as (engine, _), transaction(engine) as session:
        rows = run_failures(session, find_run(session, run).id)
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo("nothing has failed")
    else:
        table(
            None,
            ("phase", "reason", "state", "example", "iteration", "records"),
            [
                (row.phase, row.reason, row.state, row.example[:200], row.iteration, row.records)
                for row in rows
            ],
            left=4,
        )
        typer.echo(f"try the quarantined ones again: comd retry {run}")


def dashboard(
    port: Annotated[int, typer.Option("--port", help="TCP port.")] = 8501,
    address: Annotated[str, typer.Option("--address", help="Interface.")] = "127.0.0.1",
) -> None:
    """Open the dashboard: pools, scores, difficulty, progress."""
    import importlib.util
    import os
    import sys

    from comd_platform.errors import ComdError

    if importlib.util.find_spec("streamlit") is None:
        raise ComdError("streamlit is not installed", hint="pip install 'comd[dashboard]'")
    with database():
        pass  # started and migrated before the pages read it
    # It takes this process over: whoever ends `comd dashboard` ends the server.
    arguments = [sys.executable, "-m", "comd_dashboard", str(port), address]
    os.execv(arguments[0], arguments)  # noqa: S606 - ourselves
