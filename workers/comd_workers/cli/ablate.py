"""`comd ablate` and `comd compare`: variants of a run, and runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.completion import complete_run
from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, RunName
from comd_workers.cli.output import console_for_people, print_json, show, table

if TYPE_CHECKING:
    from comd_platform.ablation.results import Outcome, Results
    from comd_platform.reports.comparison import SideBySide, Value


def ablate(
    run: RunName,
    vary: Annotated[
        list[str],
        typer.Option(
            "--vary",
            metavar="SECTION.KEY=VALUE,VALUE",
            help="Settings to try; several --vary make a grid.",
        ),
    ],
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="So many seeds, from the run's own upwards.")
    ] = 1,
    at: Annotated[
        int, typer.Option("--at", min=1, help="The last iteration that the variants share.")
    ] = 1,
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="Local workers; none: as needed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Branch a run over a grid of settings, drive the branches, print means, spread and differences.

    Every seed makes iterations 1 to --at once; its variants share them. Stop it and start it as you
    like: what is done is found again. Differences are paired by seed, against the run's own settings
    where they are among the values, else against the first variant.
    """
    from comd_platform.ablation.grid import grid
    from comd_platform.ablation.results import results
    from comd_platform.db.engine import transaction
    from comd_workers.ablation import Ablation
    from comd_workers.cli.loop import stop_on_signals
    from comd_workers.cli.progress import Board
    from comd_workers.fleet import Fleet
    from comd_workers.workforce import Workforce

    ablation = Ablation(run, grid(vary), seeds=seeds, at=at)
    stop = stop_on_signals()
    with database() as (engine, settings):
        with transaction(engine) as session:
            baseline = ablation.baseline(session)  # refuses a wrong name or value before any work
        console = console_for_people(stderr=as_json)
        with Workforce(settings, local=workers) as workforce, Board(console) as board:
            fleet = Fleet(engine, settings, workforce, board.watch, stop)
            played, ended = ablation.play(engine, fleet)
        with transaction(engine) as session:
            found = results(session, played, baseline)
    if as_json:
        print_json({"results": found, "ended_early": ended})
        return
    _print_results(found, seeds)
    for name, why in ended.items():
        typer.echo(f"{name} ended early: {why}")


def _print_results(found: Results, seeds: int) -> None:
    for measure in dict.fromkeys(outcome.measure for outcome in found.outcomes):
        table(
            f"{measure}, after iteration {found.iteration}"
            + (f", {seeds} seeds" if seeds > 1 else "")
            + f"; differences to {found.baseline}",
            ("variant", "mean", "sd", "difference", "95 % interval", "p", "better in"),
            [_cells(each) for each in found.outcomes if each.measure == measure],
        )
        typer.echo()
    runs = ", ".join(dict.fromkeys(each.run for each in found.played))
    typer.echo(f"runs: {runs}\nlook closer: comd compare RUN RUN")


def _cells(outcome: Outcome) -> tuple[object, ...]:
    cells = (outcome.variant, outcome.spread.mean, outcome.spread.sd)
    each = outcome.difference
    if each is None:
        return (*cells, None, None, None, None)
    interval = None if each.low is None else f"{each.low:+.3f} to {each.high:+.3f}"
    return (*cells, f"{each.mean:+.3f}", interval, _p(each.p), f"{each.wins} of {each.n}")


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Two runs or more; the first is the baseline.", autocompletion=complete_run
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Runs side by side: settings that differ, pools, difficulty, training, held-out scores.

    The leftmost is the baseline; behind the scores of the others stands the difference to it.
    """
    from comd_platform.db.engine import transaction
    from comd_platform.errors import ComdError
    from comd_platform.reports.comparison import compare_runs

    if len(set(runs)) < 2:
        raise ComdError(
            "a comparison needs two different runs", hint="comd run list shows those there are."
        )
    with database() as (engine, _), transaction(engine) as session:
        found = compare_runs(session, list(dict.fromkeys(runs)))
    if as_json:
        print_json(found)
    else:
        _print_comparison(found)


def _print_comparison(found: SideBySide) -> None:
    table(
        "settings that differ",
        ("setting", *found.runs),
        [(key, *map(str, values)) for key, values in found.settings.items()],
    )
    for number in dict.fromkeys(row.iteration for row in found.rows):
        rows = [row for row in found.rows if row.iteration == number]
        typer.echo()
        if all(rows[0].shared):
            typer.echo(f"iteration {number} is the same one in all")
        table(
            f"iteration {number}",
            ("measure", *found.runs),
            [(row.measure, *_against_first(row.values)) for row in rows],
        )

    if found.tests:
        typer.echo()
        table(
            f"students against that of {found.runs[0]}, on the same held-out items",
            (
                "run",
                "benchmark",
                "iteration",
                "difference",
                "95 % interval",
                "better",
                "worse",
                "p",
            ),
            [
                (
                    each.run,
                    each.benchmark,
                    each.iteration,
                    f"{each.result.difference:+.3f}",
                    f"{each.result.low:+.3f} to {each.result.high:+.3f}",
                    each.result.wins,
                    each.result.losses,
                    _p(each.result.p),
                )
                for each in found.tests
            ],
            left=2,
        )


def _against_first(values: tuple[Value, ...]) -> list[str]:
    """Cells; behind every share, score or loss but the first its difference to the first."""
    first = values[0]
    cells = [show(first)]
    for value in values[1:]:
        cell = show(value)
        if isinstance(value, float) and first is not None and value != first:
            cell += f" ({value - first:+.3f})"
        cells.append(cell)
    return cells
