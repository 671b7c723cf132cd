"""Every report over a finished run of 0.5 and 5 million instructions: how long it takes, by which plan.

A report is a public function of `comd_platform.reports` that takes a session; all are found, so none
can be forgotten. At full size docs/report-times.md is written, and the plans in docs/plans. 5 million
are measured where they have been made: `benchmarks/reports.py --make` does that (half an hour, 30 GB).
"""

from __future__ import annotations

import importlib
import inspect
import math
import os
import pkgutil
import re
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from common import Row, main, scaled, timed
from databases import connected
from growth import Curve, short
from sqlalchemy import URL, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from synthetic import MADE_ALWAYS, kept, synthetic_run, synthetic_server

from comd_platform import reports
from comd_platform.db.reader import WORK_MEM
from comd_platform.reports.browsing import Filters
from comd_platform.reports.reviews import SLICES

GOALS = {500_000: 0.3, 5_000_000: 1.5}
"""Instructions -> seconds that no report may take."""
TIMEOUT_S = 60
PLAN_WORTH_S = 0.1  # the plan of what is quicker tells little
SETTINGS = f"SET statement_timeout = {1000 * TIMEOUT_S}; SET work_mem = '{WORK_MEM}'"
"""The second as the dashboard's reader has it."""
SHOWN = 5  # curves in the picture: of the reports that take longest
DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZES = (10_000, 100_000, 1_000_000, 5_000_000)

PARAMETERS: dict[str, Any] = {
    "run_id": 1,
    "name": "paper",
    "names": ["paper", "branch"],
    "iteration": 4,
    "iteration_id": 4,
    "benchmark": "scienceqa",
    "label": "subject",
    "instruction_id": 100,
    "filters": Filters(iteration=4),
    "which": "random",
    "kind": "orders disagree",
    "reason": "not diverse",
    "author": "somebody",
}
"""What a required parameter of that name is given."""

CASES: dict[str, dict[str, dict[str, Any]]] = {
    "browsing.browse": {
        "oldest": {},
        "most difficult": {"order": "difficult"},
        "student most behind": {"order": "behind"},
        "difficult, of one type": {
            "filters": Filters(iteration=4, band="difficult", task_type="detail")
        },
        "a cell of the score map": {
            "filters": Filters(iteration=4, teacher=(9, 9), student=(3, 3.5))
        },
        "quarantined": {"filters": Filters(iteration=4, status="quarantined")},
        "flips": {"filters": Filters(iteration=4, status="flip")},
        "words that are rare": {"filters": Filters(iteration=4, words="Question 777:")},
        "words that are nowhere": {"filters": Filters(iteration=4, words="zebra crossing")},
    },
    "browsing.matching": {
        "all": {},
        "difficult": {"filters": Filters(iteration=4, band="difficult")},
        "words that are nowhere": {"filters": Filters(iteration=4, words="zebra crossing")},
    },
    "reviews.review_queue": {which: {"which": which} for which in SLICES},
}
"""What else a report is asked, beyond what PARAMETERS say; each is measured."""

PAGE = """\
# How long each report takes

`benchmarks/reports.py` wrote this page on {date}, a part of `make bench`, whose page says on which
machine. Every public function of `comd_platform.reports` that takes a session is asked, over a made-up
finished run in the paper's proportions (four iterations, all assessed; judgements, replies, work items
and usage included), through Python and to the last row. Medians over the rounds, caches warm; the goals
are 300 ms at half a million instructions and 1.5 s at five million, and **(!)** marks what misses them.
The load average was {load:.1f} on {cores} cores afterwards; more than {cores} means that other work was
in the way.

| report | {sizes} |
| --- | {rule} |
{lines}

What takes longer than {worth:.0f} ms leads to its plan at {largest} instructions: EXPLAIN (ANALYZE,
BUFFERS) of every statement that it sends, in order.

Not measured:

{excused}
"""

EXCUSED: dict[str, str] = {
    "decontamination.found_counts": "reads what the same transaction's comparison has left",
    "decontamination.found_overlaps": "reads what the same transaction's comparison has left",
    "lineages.example_lineages": "told once, at the end of `comd demo`; no page asks it",
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


def questions() -> dict[str, Callable[[Session], object]]:
    """What is measured: every report that is not excused, as often as it has cases."""
    asked: dict[str, Callable[[Session], object]] = {}
    for name, report in public_reports().items():
        if name in EXCUSED:
            continue
        for case, more in CASES.get(name, {"": {}}).items():
            given = arguments(report) | more
            asked[f"{name}: {case}" if case else name] = lambda session, ask=report, given=given: (
                ask(session, **given)
            )
    return asked


def time_reports(url: URL, rounds: int) -> list[Timing]:
    """Every question, each on a connection of its own."""
    found = []
    with connected(url) as engine:
        for name, ask in questions().items():
            with Session(engine) as session:
                session.execute(text(SETTINGS))
                once = partial(ask, session)
                try:
                    first = timed(once)
                    seconds = [timed(once) for _ in range(rounds)]
                except OperationalError:
                    first, seconds = math.inf, [math.inf]
            engine.dispose()
            found.append(Timing(name, first, seconds))
    return found


def plans(url: URL, ask: Callable[[Session], object]) -> str:
    """EXPLAIN (ANALYZE, BUFFERS) of every statement that a question sends, as text."""
    sent: list[tuple[str, Any]] = []

    def keep(*told: Any) -> None:
        _, _, statement, parameters, _, _ = told
        sent.append((statement, parameters))

    with connected(url) as engine, Session(engine) as session:
        session.execute(text(SETTINGS))
        event.listen(engine, "before_cursor_execute", keep)
        ask(session)
        event.remove(engine, "before_cursor_execute", keep)
        explained = []
        for statement, parameters in sent:
            lines = session.connection().exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS, SETTINGS) {statement}", parameters
            )
            explained.append("\n".join(line for (line,) in lines))
    return "\n\n".join(explained)


def measure(scale: float, rounds: int) -> list[Row]:
    """The slowest report at every size, beside what none may take."""
    rows = []
    with synthetic_server() as where:
        measured: dict[int, list[Timing]] = {}
        for size, goal in GOALS.items():
            if size > MADE_ALWAYS and not kept(where, scaled(size, scale)):
                continue
            url = synthetic_run(where, scaled(size, scale))
            measured[size] = time_reports(url, rounds)
            slowest = max(measured[size], key=lambda timing: timing.median)
            within = sum(timing.median <= goal for timing in measured[size])
            rows.append(
                Row(
                    what=f"Slowest of {len(measured[size])} reports,"
                    f" {short(scaled(size, scale))} instructions",
                    amount=1,
                    unit="",
                    ours="comd",
                    seconds={"comd": slowest.seconds, "the goal": [goal] * rounds},
                    note=f"`{slowest.report}`; {within} of {len(measured[size])} are within the goal."
                    " A finished run of four iterations, all of it assessed;"
                    " [every report](report-times.md), with its plan.",
                )
            )
        if scale == 1:
            write_page(measured, where)
    return rows


def grow(scale: float) -> list[Curve]:
    """The reports that take longest, at every size that is there (or is soon made)."""
    with synthetic_server() as where:
        sizes = [scaled(size, scale) for size in SIZES]
        sizes = [n for n in sizes if n <= 2 * MADE_ALWAYS * scale or kept(where, n)]
        times = {
            n: {each.report: each.median for each in time_reports(synthetic_run(where, n), 1)}
            for n in sizes
        }
    longest = sorted(times[sizes[-1]], key=lambda report: -times[sizes[-1]][report])[:SHOWN]
    return [
        Curve("Reports", report, "instructions", sizes, [times[n][report] for n in sizes])
        for report in longest
    ]


def write_page(measured: dict[int, list[Timing]], where: URL) -> None:
    """docs/report-times.md, and docs/plans: a file a report, of the largest size measured."""
    largest = max(measured)
    folder = DOCS / "plans"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.txt"):
        old.unlink()
    url = synthetic_run(where, largest)
    lines = []
    for name, ask in questions().items():
        plan = folder / f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.txt"
        if PLAN_WORTH_S < (median_of(measured[largest], name) or 0.0) < math.inf:
            plan.write_text(f"{plans(url, ask)}\n")
        cells = [name if not plan.exists() else f"[{name}](plans/{plan.name})"]
        for size, goal in GOALS.items():
            found = median_of(measured.get(size, []), name)
            cells.append("" if found is None else f"{1000 * found:,.0f}{' (!)' * (found > goal)}")
        lines.append(f"| {' | '.join(cells)} |")
    (DOCS / "report-times.md").write_text(
        PAGE.format(
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            sizes=" | ".join(f"{short(size)}, ms" for size in GOALS),
            rule=" | ".join("---:" for _ in GOALS),
            lines="\n".join(lines),
            largest=short(largest),
            worth=1000 * PLAN_WORTH_S,
            load=os.getloadavg()[0],
            cores=os.cpu_count(),
            excused="\n".join(f"- `{name}`: {why}." for name, why in EXCUSED.items()),
        )
    )


def median_of(timings: list[Timing], report: str) -> float | None:
    return next((each.median for each in timings if each.report == report), None)


if __name__ == "__main__":
    if "--make" in sys.argv:
        with synthetic_server() as server:
            synthetic_run(server, max(GOALS))
    else:
        main(measure, grow)
