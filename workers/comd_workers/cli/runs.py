"""`comd run`: making runs and branches, and listing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.completion import complete_run
from comd_workers.cli.config import Overrides
from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, examples
from comd_workers.cli.output import print_json, table

if TYPE_CHECKING:
    from comd_platform.tables import Run

app = typer.Typer(no_args_is_help=True, help="Runs and branches.")


@app.command(
    epilog=examples(
        "comd run create examples/llava-13b-7b.yaml",
        "comd run create my.yaml --set seed=1 --set name=my-1",
    )
)
def create(
    config: Annotated[Path, typer.Argument(help="A run config (YAML).")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Make a run from a config. Making it again from the same config changes nothing."""
    from comd_platform.config.load import load_config
    from comd_platform.db.engine import transaction
    from comd_platform.runs import create_run
    from comd_workers.checks.white_box import require_teachable

    resolved = load_config(config, overrides or ())
    require_teachable(resolved)
    with database() as (engine, _), transaction(engine) as session:
        run = create_run(session, resolved)
        _tell(run, f"run {run.name} stands", as_json)


@app.command(
    epilog=examples(
        "comd run branch demo-0 --name tau67 --at 1 --set method.difficulty_threshold=0.67",
        "comd run branch demo-0 --name longer --at 4 --set iterations=6",
    )
)
def branch(
    run: Annotated[
        str, typer.Argument(help="The run to branch from.", autocompletion=complete_run)
    ],
    name: Annotated[str, typer.Option("--name", help="The branch's name.")],
    at: Annotated[int, typer.Option("--at", help="The last iteration that is shared.")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Make a run that shares another's iterations up to --at, then goes its own way.

    What the changed settings do not touch of iteration --at is shared too, row by row.
    """
    from comd_platform.db.engine import transaction
    from comd_platform.runs import branch_run, chain, find_run, run_config
    from comd_workers.checks.white_box import require_teachable

    with database() as (engine, _), transaction(engine) as session:
        made = branch_run(
            session, find_run(session, run), name=name, at=at, overrides=overrides or ()
        )
        require_teachable(run_config(made))
        whole = sum(iteration.run_id != made.id for iteration in chain(session, made))
        parts = [f"{whole} of {at} iterations whole"] if whole else []
        if whole < at:
            parts.append(f"of iteration {at} all rows that still hold")
        shared = f"shares {' and '.join(parts)}"
        _tell(made, f"branch {made.name} {shared}", as_json)


def _tell(run: Run, said: str, as_json: bool) -> None:
    if as_json:
        print_json({"run": run.name, "id": run.id, "config": run.config})
    else:
        typer.echo(f"{said}; go on with: comd iterate {run.name}")


@app.command("list", epilog=examples("comd run list", "comd run list --json"))
def list_runs(as_json: AsJson = False) -> None:
    """All runs, newest first."""
    from comd_platform.db.engine import transaction
    from comd_platform.reports.runs import list_runs as runs_report

    with database() as (engine, _), transaction(engine) as session:
        found = runs_report(session)
    if as_json:
        print_json(found)
    elif not found:
        typer.echo("no runs yet: comd run create CONFIG, or comd demo")
    else:
        cells = [
            (row.run, row.parent, row.selection, row.phase, row.iterations, row.wanted)
            for row in found
        ]
        table(None, ("run", "branch of", "selection", "phase", "iterations", "of"), cells, left=4)
