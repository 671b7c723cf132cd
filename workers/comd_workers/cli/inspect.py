"""`comd status`, `comd lineage`, `comd failures`, `comd dashboard`: looking at what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.output import console_for_people, duration, percent, print_json, show, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text
    from sqlalchemy import Engine

    from comd_platform.reports.evaluations import ScoreRow
    from comd_platform.reports.lineages import AssessedRow, Relative

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def status(
    run: Annotated[str, typer.Argument(help="The run's name.")],
    as_json: AsJson = False,
) -> None:
    """Where a run stands: phases, pools, scores, workers."""
    from comd_platform.db.engine import transaction
    from comd_platform.reports.progress import run_progress
    from comd_platform.reports.workers import list_workers
    from comd_platform.runs import find_run

    with database() as (engine, _), transaction(engine) as session:
        found = find_run(session, run)
        phases = run_progress(session, found.id)
        workers = list_workers(session)
        driver = found.driver
    if as_json:
        print_json({"run": run, "driver": driver, "phases": phases, "workers": workers})
        return
    typer.echo(f"run {run}: " + (f"driven by {driver}" if driver else "nobody drives it"))
    if not phases:
        typer.echo(f"nothing has begun yet: comd iterate {run}")
        return
    table(
        None,
        ("iteration", "phase", "state", "done", "of", "rate/s", "took", "left", "quarantined"),
        [
            (
                row.iteration,
                row.phase,
                "done" if row.finished_at else "running",
                row.done,
                row.total,
                row.rate,
                duration(row.seconds),
                duration(row.seconds_left) if not row.finished_at else "",
                row.quarantined,
            )
            for row in phases[-10:]
        ],
        left=3,
    )
    alive = [worker for worker in workers if worker.state not in {"lost", "stopped"}]
    typer.echo(f"{len(alive)} workers alive" + (":" if alive else ""))
    for worker in alive:
        typer.echo(
            f"  {worker.worker} ({worker.host}, {worker.device}, {worker.state}): "
            f"{', '.join(worker.roles)}"
        )
    with database() as (engine, _):
        print_summary(engine, run)


def print_summary(engine: Engine, run: str) -> None:
    """The table of a run's iterations."""
    from comd_platform.db.engine import transaction
    from comd_platform.reports.evaluations import run_scores
    from comd_platform.reports.summary import run_summary
    from comd_platform.runs import find_run

    with transaction(engine) as session:
        run_id = find_run(session, run).id
        rows = run_summary(session, run_id)
        scores = run_scores(session, run_id)
    held_out = {score.iteration: score for score in scores if score.iteration is not None}
    table(
        f"run {run}",
        (
            "iteration",
            "pool",
            "cache",
            "accepted",
            "difficult",
            "flips",
            "teacher",
            "student",
            "held out",
        ),
        [
            (
                row.iteration,
                row.tuning_pool,
                row.cache_pool,
                percent(row.accepted_share),
                percent(row.difficult_share),
                percent(row.flip_share),
                row.teacher_score,
                row.student_score,
                _held_out(held_out.get(row.iteration)),
            )
            for row in rows
        ],
    )
    for score in scores:
        if score.iteration is None:
            typer.echo(f"{score.benchmark}, {score.who}: {_held_out(score)}")


def _held_out(score: ScoreRow | None) -> str:
    if score is None:
        return "-"
    error = f" ± {score.standard_error:.3f}" if score.standard_error is not None else ""
    return f"{score.score:.3f}{error}"


def lineage(
    instruction: Annotated[int, typer.Argument(help="An instruction's id.")],
    run: Annotated[str | None, typer.Option("--run", help="Only what this run knows.")] = None,
    as_json: AsJson = False,
) -> None:
    """Why an instruction is here: its ancestors, what was written from it, and every score."""
    from comd_platform.db.engine import transaction
    from comd_platform.reports.lineages import family
    from comd_platform.runs import find_run

    with database() as (engine, _), transaction(engine) as session:
        run_id = find_run(session, run).id if run else None
        found = family(session, instruction, run_id=run_id)
    if as_json:
        print_json(found)
    else:
        print_lineage(found, marked=instruction)


def print_lineage(found: Sequence[Relative], marked: int | None = None) -> None:
    """A tree in the terminal; text of models is printed as text."""
    from rich.text import Text
    from rich.tree import Tree

    nodes: dict[int, Tree] = {}
    root: Tree | None = None
    for relative in found:
        line = Text()
        line.append(f"{relative.instruction_id} ", style="dim")
        line.append(relative.text, style="bold" if relative.instruction_id == marked else "")
        born = f"  [{relative.task_type}, iteration {relative.born_in or 1}"
        if relative.source_band:
            article = "an" if relative.source_band == "easy" else "a"
            born += f", from {article} {relative.source_band} one, ROUGE-L {show(relative.rouge_l)}"
        line.append(born + "]", style="cyan")
        parent = nodes.get(relative.parent_id or -1)
        node = parent.add(line) if parent is not None else Tree(line)
        root = root or node
        nodes[relative.instruction_id] = node
        for row in relative.assessed:
            node.add(_assessed(row))
    if root is not None:
        console_for_people().print(root)


def _assessed(row: AssessedRow) -> Text:
    """One line: how this instruction stood in one iteration, and what was answered."""
    from rich.text import Text

    return Text(
        f"{row.run} {row.iteration}: {row.band} {show(row.difficulty)}, "
        f"teacher {show(row.teacher_score)} {_brief(row.teacher_answer)}, "
        f"student {show(row.student_score)} {_brief(row.student_answer)}",
        style="green" if row.band == "easy" else "yellow",
    )


def _brief(answer: str | None, limit: int = 80) -> str:
    if answer is None:
        return "(no answer)"
    line = " ".join(answer.split())
    return f"“{line[:limit]}…”" if len(line) > limit else f"“{line}”"


def failures(
    run: Annotated[str, typer.Argument(help="The run's name.")],
    as_json: AsJson = False,
) -> None:
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
    import subprocess
    import sys

    from comd_platform.errors import ComdError

    if importlib.util.find_spec("streamlit") is None:
        raise ComdError("streamlit is not installed", hint="pip install 'comd[dashboard]'")
    with database():
        pass  # started and migrated before the pages read it
    arguments = [sys.executable, "-m", "comd_dashboard", str(port), address]
    raise typer.Exit(subprocess.run(arguments, check=False).returncode)  # noqa: S603 - ourselves
