"""The command tree. Heavy imports happen inside the commands, so that `comd --help` is quick."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from typing import Annotated

import typer

from comd_platform.errors import ComdError
from comd_workers.cli import config, data, database, demo, inspect, loop, runs
from comd_workers.cli.output import print_error

app = typer.Typer(
    name="comd",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Competitive multi-modal distillation: a teacher, a student, and a database between them.",
    epilog="Start with: comd demo. Data and server live under COMD_HOME; see comd db status.",
)

_state = {"debug": False}


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.metadata.version("comd"))
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug logs.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
    _state["debug"] = debug
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


LOOP, DATA, LOOK, ADMIN = "The loop", "Data", "Look", "Machine"

app.command("demo", rich_help_panel=LOOP)(demo.demo)
app.add_typer(runs.app, name="run", rich_help_panel=LOOP)
app.command("iterate", rich_help_panel=LOOP)(loop.iterate)
app.command("retry", rich_help_panel=LOOP)(loop.retry)
app.command("worker", rich_help_panel=LOOP)(loop.worker)
app.add_typer(data.import_app, name="import", rich_help_panel=DATA)
app.command("export", rich_help_panel=DATA)(data.export)
app.command("status", rich_help_panel=LOOK)(inspect.status)
app.command("lineage", rich_help_panel=LOOK)(inspect.lineage)
app.command("failures", rich_help_panel=LOOK)(inspect.failures)
app.command("dashboard", rich_help_panel=LOOK)(inspect.dashboard)
app.add_typer(config.app, name="config", rich_help_panel=ADMIN)
app.add_typer(database.app, name="db", rich_help_panel=ADMIN)


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    try:
        app()
    except ComdError as error:
        if _state["debug"]:
            raise
        print_error(error)
        sys.exit(1)
    except Exception as error:
        # SQLAlchemy is not imported for this: `comd --help` must stay quick.
        if _state["debug"] or type(error).__name__ != "OperationalError":
            raise
        print_error(
            ComdError(
                f"the database went away: {str(error).splitlines()[0]}",
                hint="Nothing is lost. When it is back, give the same command again.",
            )
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - the command line speaks
        sys.exit(130)
