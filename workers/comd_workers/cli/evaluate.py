"""`comd evaluate`: benchmarks, from the database or from a file that some script left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.options import AsJson

if TYPE_CHECKING:
    from comd_platform.evaluation.benchmarks import FileReport


def evaluate(
    benchmark: Annotated[
        str, typer.Option("--benchmark", help="scienceqa, seed_bench or llava_bench.")
    ],
    from_file: Annotated[
        Path, typer.Option("--from-file", help="Score this file of answers; no database needed.")
    ],
    questions: Annotated[
        Path | None,
        typer.Option("--questions", help="The benchmark's own files: a folder or a file."),
    ] = None,
    stored: Annotated[
        bool, typer.Option("--stored", help="Take what the file's own script read, as it stands.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score answers on a benchmark: the columns of the paper's tables, in percent."""
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

    cells = ["-" if score is None else f"{score:.2f}" for score in report.scores.values()]
    table(f"{report.benchmark}, {report.extraction}", tuple(report.scores), [cells], left=0)
    typer.echo(
        f"{report.n:,} questions; {report.unreadable:,} predictions unreadable, "
        f"{report.missing:,} questions without one; {report.duplicates:,} rows superseded by a "
        f"later one, {report.unknown:,} for other questions"
    )
