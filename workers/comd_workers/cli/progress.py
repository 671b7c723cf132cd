"""Live phases in the terminal: done of total, rate, time left; one line a phase when piped."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Board:
    """A bar a phase, for one run or for several that go on at the same time."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", justify="right"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def watch(self, run: str) -> PhaseBars:
        """The watcher of one run's driver."""
        return PhaseBars(run, self._progress, self._console)


class PhaseBars:
    """Draws one run's phases; prints a line a phase where there is no terminal to draw on."""

    def __init__(self, run: str, progress: Progress, console: Console) -> None:
        self._run = run
        self._progress = progress
        self._console = console
        self._tasks: dict[tuple[int, str], TaskID] = {}
        self._started: dict[tuple[int, str], float] = {}

    def phase_started(self, iteration: int, phase: str, total: int) -> None:
        name = (iteration, phase)
        if name in self._tasks:  # begun anew after an outage
            return
        self._started[name] = time.monotonic()
        self._tasks[name] = self._progress.add_task(
            f"{self._run} iteration {iteration} {phase:<8}", total=total, rate="", note=""
        )

    def phase_progress(self, iteration: int, phase: str, done: int, total: int) -> None:
        name = (iteration, phase)
        elapsed = time.monotonic() - self._started[name]
        rate = f"{done / elapsed:,.0f}/s" if done > elapsed > 0 else ""
        self._progress.update(self._tasks[name], completed=done, total=total, rate=rate)

    def phase_finished(self, iteration: int, phase: str, note: str | None) -> None:
        name = (iteration, phase)
        started = self._started.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            self._progress.update(task, note=note or "")
        if not self._console.is_terminal:
            took = f" in {time.monotonic() - started:.1f} s" if started is not None else ""
            said = f": {note}" if note else ""
            self._console.print(f"{self._run} iteration {iteration} {phase} done{took}{said}")
