"""`comd iterate`, `comd worker`, `comd retry`: the loop at work."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, RunName
from comd_workers.cli.output import console_for_people, print_json


def iterate(
    run: RunName,
    count: Annotated[
        int | None,
        typer.Option("-n", "--iterations", min=1, help="So many more; none: all of the config's."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=0, help="Local workers; none: as needed where a role has nobody."
        ),
    ] = None,
    as_json: AsJson = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Where another driver has the run, wait until it leaves.")
    ] = False,
) -> None:
    """Drive a run: plan each phase, wake workers, wait, go on. Kill it and start it as you like.

    The phases are shown live (a line each where piped); it ends with the table of the iterations.
    With --json they are told on stderr, and where the run stands comes as JSON at the end.
    """
    from comd_platform.db.engine import transaction
    from comd_platform.db.outage import Patience
    from comd_platform.loop.collapse import StudentCaughtUp
    from comd_platform.loop.driver import Driver
    from comd_platform.runs import find_run
    from comd_workers.cli.progress import Board
    from comd_workers.cli.status import look
    from comd_workers.cli.summary import print_summary
    from comd_workers.workforce import Workforce

    stop = stop_on_signals()
    console = console_for_people(stderr=as_json)
    caught_up: StudentCaughtUp | None = None
    with database() as (engine, settings):
        with transaction(engine) as session:
            find_run(session, run)
        with Workforce(settings, local=workers) as workforce, Board(console) as board:
            try:
                patience = Patience.of(settings, stop)
                driver = Driver(engine, workforce, board.watch(run), stop=stop, patience=patience)
                driver.run(run, count, wait=wait)
            except StudentCaughtUp as end:
                caught_up = end  # a good end, not an error
        if as_json:
            print_json(look(engine, run))
        else:
            print_summary(engine, run)
        if caught_up is not None:
            typer.echo(f"{caught_up}\n  {caught_up.hint}", err=as_json)


def worker(
    roles: Annotated[
        str,
        typer.Option(
            "--roles", help="Comma-separated: teacher, student, assessor, augmentor, trainer."
        ),
    ] = "teacher,student,assessor,augmentor,trainer",
    name: Annotated[
        str | None, typer.Option("--name", help="Unique; none: host and a number.")
    ] = None,
    max_loaded: Annotated[
        int, typer.Option("--max-loaded", min=1, help="Models kept loaded at the same time.")
    ] = 1,
    with_parent: Annotated[
        int | None, typer.Option("--with-parent", hidden=True, help="End when this process does.")
    ] = None,
) -> None:
    """Serve work items until Ctrl-C or SIGTERM; the one in hand is finished, or put back."""
    from comd_platform.errors import ComdError
    from comd_platform.tables import ROLES
    from comd_workers.worker import run_worker

    wanted = [role.strip() for role in roles.split(",") if role.strip()]
    unknown = sorted(set(wanted) - set(ROLES))
    if unknown or not wanted:
        raise ComdError(
            f"unknown roles: {', '.join(unknown) or 'none given'}",
            hint=f"Known: {', '.join(ROLES)}.",
        )
    with database() as (_, settings):
        pass
    run_worker(settings, wanted, name=name, max_loaded=max_loaded, parent=with_parent)


def retry(run: RunName, as_json: AsJson = False) -> None:
    """Let the phase where a run stands try its quarantined records again."""
    from comd_platform.db.engine import transaction
    from comd_platform.ledger.failing import forgive
    from comd_platform.runs import RunError, chain, find_run

    with database() as (engine, _), transaction(engine) as session:
        found = chain(session, find_run(session, run))
        last = found[-1] if found else None
        if last is None or last.phase == "done":
            raise RunError(
                f"run {run!r} stands at the end of an iteration: what was set aside is built upon",
                hint="Branch from the iteration before: comd run branch",
            )
        count, phase = forgive(session, last.id, last.phase), last.phase
    if as_json:
        print_json({"run": run, "phase": phase, "records": count})
    else:
        typer.echo(f"{count} records of phase {phase} will be tried again: comd iterate {run}")


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set; a second signal ends the process as usual."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        del frame
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    return stop
