"""`comd evaluate`: benchmarks, on a run's models or on a file that some script left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.completion import complete_run
from comd_workers.cli.options import AsJson

if TYPE_CHECKING:
    from comd_platform.evaluation.benchmarks import FileReport
    from comd_platform.reports.verdicts import Verdicts


def evaluate(
    run: Annotated[
        str | None,
        typer.Argument(help="The run's name; none with --from-file.", autocompletion=complete_run),
    ] = None,
    benchmark: Annotated[
        str,
        typer.Option(
            "--benchmark",
            help="An imported benchmark's name, or lmms-eval:TASK; with --from-file scienceqa, "
            "seed_bench, llava_bench or custom.",
        ),
    ] = "",
    iterations: Annotated[
        list[int] | None,
        typer.Option(
            "--iteration",
            min=0,
            help="Whose student; may be repeated; none: all that are tuned. 0: only the teacher and "
            "the untuned student, who are always scored.",
        ),
    ] = None,
    finetune: Annotated[
        str | None,
        typer.Option(
            "--finetune",
            metavar="POOL",
            help="Fine-tune the students on this pool's reference answers first, beside the chain.",
        ),
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from-file", help="Score this file of answers; no database needed."),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option("--questions", help="The benchmark's own files: a folder or a file."),
    ] = None,
    stored: Annotated[
        bool, typer.Option("--stored", help="Take what the file's own script read, as it stands.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=0, help="Local workers; none: as needed where a role has nobody."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score models on a benchmark: has the student passed its teacher?

    With RUN: the students of its iterations, its teacher and its untuned student answer the items that
    they have not answered yet. With --from-file: the answers that some script left.
    """
    from comd_platform.errors import ComdError
    from comd_workers.cli.evaluate_run import evaluate_run

    if not benchmark:
        raise ComdError("which benchmark?", hint="--benchmark NAME")
    if (run is None) == (from_file is None):
        raise ComdError(
            "what is to be scored?", hint="Give either a run's name, or --from-file FILE."
        )
    if from_file is not None:
        _score_file(benchmark, questions, from_file, stored=stored, as_json=as_json)
    elif questions is not None or stored:
        raise ComdError(
            "--questions and --stored belong to --from-file",
            hint="A run is asked an imported benchmark: comd import benchmark PATH --kind KIND",
        )
    elif benchmark.startswith("lmms-eval:"):
        from comd_workers.cli.evaluate_bridge import evaluate_bridge

        evaluate_bridge(str(run), benchmark, iterations, as_json=as_json)
    else:
        evaluate_run(str(run), benchmark, iterations, finetune, workers, as_json=as_json)


def _score_file(
    benchmark: str, questions: Path | None, from_file: Path, *, stored: bool, as_json: bool
) -> None:
    from comd_platform.errors import ComdError
    from comd_platform.evaluation.benchmarks import BENCHMARKS
    from comd_workers.cli.output import print_json

    if benchmark not in BENCHMARKS:
        raise ComdError(
            f"there is no benchmark {benchmark!r}", hint=f"Known: {', '.join(BENCHMARKS)}."
        )
    report = BENCHMARKS[benchmark].score_file(questions, from_file, stored=stored)
    if as_json:
        print_json(report)
    else:
        print_file_report(report)
    if report.missing or report.unknown:
        typer.echo(
            f"warning: {report.missing:,} questions have no prediction, and {report.unknown:,} "
            "predictions are for other questions: is this the right split?",
            err=True,
        )


def print_file_report(report: FileReport) -> None:
    """The columns in a row, and below them what else was found."""
    from comd_workers.cli.output import table

    table(
        f"{report.benchmark}, {report.extraction}",
        tuple(report.scores),
        [[_percent(score) for score in report.scores.values()]],
        left=0,
    )
    typer.echo(
        f"{report.n:,} questions; {report.unreadable:,} predictions unreadable, "
        f"{report.missing:,} questions without one; {report.duplicates:,} rows superseded by a "
        f"later one, {report.unknown:,} for other questions"
    )


def print_verdicts(found: Verdicts) -> None:
    """First whether the teacher is passed; then every model, and every comparison."""
    from comd_workers.cli.output import table

    typer.echo(found.headline)
    columns = tuple(found.standings[0].columns)
    table(
        None,
        ("model", *columns, "95 % interval", "items", "unreadable"),
        [
            (
                one.who if one.iteration is None else f"{one.who} {one.iteration}",
                *(_percent(score) for score in one.columns.values()),
                f"{100 * one.interval.low:.2f} to {100 * one.interval.high:.2f}",
                one.items,
                one.unreadable,
            )
            for one in found.standings
        ],
    )
    table(
        "on the same items",
        ("first", "second", "difference", "95 % interval", "better on", "worse on", "p", "test"),
        [
            (
                one.first,
                one.second,
                f"{100 * one.result.difference:+.2f}",
                f"{100 * one.result.low:+.2f} to {100 * one.result.high:+.2f}",
                one.result.wins,
                one.result.losses,
                f"{one.result.p:.2g}",
                one.result.test,
            )
            for one in found.verdicts
        ],
        left=2,
    )


def _percent(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"
