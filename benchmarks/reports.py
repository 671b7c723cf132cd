"""Every report over a finished run of 0.5 and 5 million instructions: how long it takes, by which plan.

A report is a public function of `comd_platform.reports` that takes a session; all are found, so none
can be forgotten. 5 million are measured where they have been made (`--full` makes them: 30 GB).
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from common import timed
from databases import connected
from sqlalchemy import URL, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from comd_platform import reports

GOALS = {500_000: 0.3, 5_000_000: 1.5}
"""Instructions -> seconds that no report may take."""
TIMEOUT_S = 60
SIZES = [10_000, 100_000, 1_000_000, 5_000_000]

PARAMETERS: dict[str, Any] = {
    "run_id": 1,
    "name": "paper",
    "names": ["paper", "branch"],
    "iteration": 4,
    "iteration_id": 4,
    "benchmark": "scienceqa",
    "label": "subject",
    "instruction_id": 1_000,
}
"""What a required parameter of that name is given."""

EXCUSED: dict[str, str] = {
    "decontamination.found_counts": "reads what the same transaction's comparison has left",
    "decontamination.found_overlaps": "reads what the same transaction's comparison has left",
}
"""Reports that are not measured, and why."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One report at one size: the first call on a fresh connection, and the median of the others."""

    report: str
    first: float
    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def public_reports() -> dict[str, Callable[..., object]]:
    """`module.function` -> the function, of everything public that takes a session."""
    found = {}
    for module in pkgutil.iter_modules(reports.__path__):
        if module.name == "query":
            continue
        loaded = importlib.import_module(f"{reports.__name__}.{module.name}")
        for name, value in vars(loaded).items():
            if (
                inspect.isfunction(value)
                and value.__module__ == loaded.__name__
                and not name.startswith("_")
                and next(iter(inspect.signature(value).parameters), "") == "session"
            ):
                found[f"{module.name}.{name}"] = value
    return found


def arguments(report: Callable[..., object]) -> dict[str, Any]:
    """What its required parameters are given. Raises KeyError, which names the one to think of."""
    wanted = list(inspect.signature(report).parameters.values())[1:]
    return {
        each.name: PARAMETERS[each.name]
        for each in wanted
        if each.default is inspect.Parameter.empty
    }


def time_reports(url: URL, rounds: int) -> list[Timing]:
    """Every report that is not excused, each on a connection of its own."""
    found = []
    for name, report in public_reports().items():
        if name in EXCUSED:
            continue
        with connected(url) as engine, Session(engine) as session:
            session.execute(text(f"SET statement_timeout = {1000 * TIMEOUT_S}"))
            once = partial(report, session, **arguments(report))
            try:
                first = timed(once)
                seconds = [timed(once) for _ in range(rounds)]
            except OperationalError:
                first, seconds = math.inf, [math.inf]
            found.append(Timing(name, first, seconds))
    return found


def plans(url: URL, name: str) -> str:
    """EXPLAIN (ANALYZE, BUFFERS) of every statement that a report sends, as text."""
    report = public_reports()[name]
    sent: list[tuple[str, Any]] = []

    def keep(*told: Any) -> None:
        _, _, statement, parameters, _, _ = told
        sent.append((statement, parameters))

    with connected(url) as engine, Session(engine) as session:
        event.listen(engine, "before_cursor_execute", keep)
        report(session, **arguments(report))
        event.remove(engine, "before_cursor_execute", keep)
        explained = []
        for statement, parameters in sent:
            lines = session.connection().exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS, SETTINGS) {statement}", parameters
            )
            explained.append("\n".join(line for (line,) in lines))
    return "\n\n".join(explained)
