"""`comd status`: where a run stands, once or as it goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, RunName
from comd_workers.cli.output import (
    build_table,
    console_for_people,
    duration,
    print_json,
    print_json_line,
)
from comd_workers.cli.summary import summary
from comd_workers.cli.usage import usage_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from sqlalchemy import Engine

    from comd_platform.reports.decontamination import KeptOut
    from comd_platform.reports.evaluations import ScoreRow
    from comd_platform.reports.progress import PhaseProgress
    from comd_platform.reports.summary import IterationRow
    from comd_platform.reports.usage import UsageRow
    from comd_platform.reports.workers import WorkerRow

_PHASES = 10


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands. `wanted` is the number of iterations that its config asks for."""

    run: str
    driver: str | None
    wanted: int
    phases: list[PhaseProgress]
    workers: list[WorkerRow]
    iterations: list[IterationRow]
    scores: list[ScoreRow]
    usage: list[UsageRow]
    decontamination: list[KeptOut]

    @property
    def finished(self) -> bool:
        """Whether every iteration asked for is done."""
        done = sum(row.phase == "done" for row in self.iterations)
        return done >= self.wanted


def status(
    run: RunName,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on until the run is finished, or Ctrl-C.")
    ] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.1, help="Seconds between looks, with --watch.")
    ] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Where a run stands: phases with rate and time left, tokens and cost, pools, scores,
    workers.

    With --watch and --json every look is one line of JSON.
    """
    with database() as (engine, _):
        if watch:
            (_stream if as_json else _watch)(_looks(engine, run, interval))
            return
        standing = look(engine, run)
    if as_json:
        print_json(standing)
    else:
        console_for_people().print(render(standing))


def look(engine: Engine, run: str) -> Standing:
    """Everything about where a run stands, in one transaction. Raises RunError."""
    from comd_platform.db.engine import transaction
    from comd_platform.loop.lock import driver_of
    from comd_platform.reports.decontamination import kept_out
    from comd_platform.reports.evaluations import run_scores
    from comd_platform.reports.progress import run_progress
    from comd_platform.reports.summary import run_summary
    from comd_platform.reports.usage import run_usage
    from comd_platform.reports.workers import list_workers
    from comd_platform.runs import find_run, run_config

    with transaction(engine) as session:
        found = find_run(session, run)
        return Standing(
            run=run,
            driver=driver_of(session, found),
            wanted=run_config(found).iterations,
            phases=run_progress(session, found.id),
            workers=list_workers(session),
            iterations=run_summary(session, found.id),
            scores=run_scores(session, found.id),
            usage=run_usage(session, found.id),
            decontamination=kept_out(session, found.id),
        )


def render(standing: Standing) -> RenderableType:
    """The screen: who drives it, the last phases, the workers, the table of iterations."""
    from rich.console import Group
    from rich.text import Text

    driven = f"driven by {standing.driver}" if standing.driver else "nobody drives it"
    parts: list[RenderableType] = [Text(f"run {standing.run}: {driven}")]
    if not standing.phases:
        parts.append(Text(f"nothing has begun yet: comd iterate {standing.run}"))
        return Group(*parts)
    parts.append(
        build_table(
            ("iteration", "phase", "state", "done", "of", "rate/s", "took", "left", "quarantined"),
            (_phase(row) for row in standing.phases[-_PHASES:]),
            left=3,
        )
    )
    alive = [worker for worker in standing.workers if worker.state not in {"lost", "stopped"}]
    parts.append(Text(f"{len(alive)} workers alive" + (":" if alive else "")))
    parts.extend(Text(_worker(worker)) for worker in alive)
    parts.extend(usage_table(standing.usage))
    parts.append(summary(standing.run, standing.iterations, standing.scores))
    overlapping = [row for row in standing.decontamination if row.excluded or row.reported]
    parts.extend(Text(_overlap(row)) for row in overlapping)
    if overlapping:
        parts.append(Text(f"which ones: comd decontaminate {standing.run}"))
    return Group(*parts)


def _phase(row: PhaseProgress) -> tuple[object, ...]:
    running = row.finished_at is None
    return (
        row.iteration,
        row.phase,
        "running" if running else "done",
        row.done,
        row.total,
        row.rate,
        duration(row.seconds),
        duration(row.seconds_left) if running else "",
        row.quarantined,
    )


def _overlap(row: KeptOut) -> str:
    did = (
        f"{row.excluded:,} kept out" if row.excluded else f"{row.reported:,} overlap, none kept out"
    )
    return f"decontamination, iteration {row.iteration}: {did} of {row.checked:,} instructions"


def _worker(worker: WorkerRow) -> str:
    doing = f"{worker.state}, {worker.working_on}" if worker.working_on else worker.state
    return f"  {worker.worker} ({worker.host}, {worker.device}, {doing}): {', '.join(worker.roles)}"


def _looks(engine: Engine, run: str, interval: float) -> Iterator[Standing]:
    while True:
        standing = look(engine, run)
        yield standing
        if standing.finished:
            return
        time.sleep(interval)


def _stream(looks: Iterator[Standing]) -> None:
    for standing in looks:
        print_json_line(standing)


def _watch(looks: Iterator[Standing]) -> None:
    """Redraw in place; where there is no terminal, the same screen again and again."""
    from rich.live import Live

    console = console_for_people()
    if not console.is_terminal:
        for standing in looks:
            console.print(render(standing), end="\n\n")
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as screen:
        for standing in looks:
            screen.update(render(standing), refresh=True)
