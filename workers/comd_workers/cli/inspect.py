"""`comd failures` and `comd dashboard`."""

from __future__ import annotations

from pathlib import Path
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
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            help="Ask for the password in this file; or set COMD_DASHBOARD_PASSWORD.",
        ),
    ] = None,
    user_header: Annotated[
        str | None,
        typer.Option(
            "--user-header", help="Header in which your proxy names the user: X-Forwarded-User."
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-proxy", help="Its address or network, repeatable; none: this machine."
        ),
    ] = None,
) -> None:
    """Open the dashboard in the browser: follow a run, look into it, review instructions.

    Beyond this machine it is served with a password or behind a proxy that signs people in, or not.
    """
    import importlib.util
    import os
    import sys

    from comd_platform.errors import ComdError
    from comd_platform.settings import get_settings

    if importlib.util.find_spec("streamlit") is None:
        raise ComdError("streamlit is not installed", hint="pip install 'comd[dashboard]'")
    if password_file is not None:
        os.environ["COMD_DASHBOARD_PASSWORD"] = _password(password_file)
    if user_header is not None:
        os.environ["COMD_DASHBOARD_USER_HEADER"] = user_header
    if trusted_proxy:
        os.environ["COMD_DASHBOARD_TRUSTED_PROXY"] = ",".join(trusted_proxy)
    get_settings.cache_clear()
    with database():
        pass  # started and migrated before the pages read it
    # It takes this process over: whoever ends `comd dashboard` ends the server.
    arguments = [sys.executable, "-m", "comd_dashboard", str(port), address]
    os.execv(arguments[0], arguments)  # noqa: S606 - ourselves


def _password(file: Path) -> str:
    """The first line of the file. Raises ComdError where there is none."""
    from comd_platform.errors import ComdError

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ComdError(f"{file}: {error.strerror or error}") from error
    if not lines or not lines[0].strip():
        raise ComdError(f"{file} holds no password", hint="Write it into the first line.")
    return lines[0].strip()
