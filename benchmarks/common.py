"""What every benchmark shares: contenders take turns, medians are compared, a row is printed.

A benchmark is a script with a function `measure(scale, rounds) -> list[Row]`, handed to `main`; one
that has sizes to walk through hands it a second, `grow(scale) -> list[Curve]`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from growth import Curve
from growth import table as growth_table

ROUNDS = 3

Once = Callable[[], float]
"""Does a contender's work once, and returns the seconds of it that count."""


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of work, done by comd and by what stands beside it.

    `seconds` holds one time for every round; those of one round were taken one after the other.
    `unit` names what `amount` counts; without one the times themselves are shown.
    """

    what: str
    amount: int
    unit: str
    ours: str
    seconds: dict[str, list[float]]
    note: str

    @property
    def rounds(self) -> int:
        return len(self.seconds[self.ours])

    def lines(self) -> list[list[str]]:
        """One table line for every contender beside comd: what, comd's, beside it, its, ratio."""
        return [
            [self.what, self._speed(self.ours), name, self._speed(name), self._ratio(name)]
            for name in self.seconds
            if name != self.ours
        ]

    def _speed(self, name: str) -> str:
        seconds = statistics.median(self.seconds[name])
        if self.unit:
            return f"{self.amount / seconds:,.0f} {self.unit}/s"
        return f"{seconds:.3f} s" if seconds >= 0.01 else f"{1000 * seconds:.2f} ms"

    def _ratio(self, name: str) -> str:
        """How many times as fast as `name` comd is, round by round: median, then the extremes."""
        ratios = [
            theirs / ours
            for theirs, ours in zip(self.seconds[name], self.seconds[self.ours], strict=True)
        ]
        low, high = min(ratios), max(ratios)
        return f"**{_figure(statistics.median(ratios))}** ({_figure(low)} to {_figure(high)})"


HEADER = ["what", "comd", "beside it", "its speed", "ratio"]


def timed(work: Callable[[], object], times: int = 1) -> float:
    """The seconds that `work` takes; what is too short for the clock is done several times."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times


def in_turns(contenders: dict[str, Once], rounds: int) -> dict[str, list[float]]:
    """Let every contender work once a round, the first of a round being another each time.

    So a machine that slows down for a while slows all of them, and the ratio within a round holds.
    """
    names = list(contenders)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(contenders[name]())
    return seconds


def scaled(amount: int, scale: float) -> int:
    """`amount` at full scale, less of it while trying things out; never nothing."""
    return max(1, round(amount * scale))


def main(
    measure: Callable[[float, int], list[Row]], grow: Callable[[float], list[Curve]] | None = None
) -> None:
    """A benchmark's command line: measure, print the tables, keep them as JSON when asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0, help="1: the sizes of the page")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="write the rows and curves to this file too")
    parser.add_argument("--grow", action="store_true", help="how cost grows, where sizes matter")
    parser.add_argument("--only-grow", action="store_true", help="that alone")
    arguments = parser.parse_args()
    rows, curves = [], []
    if not arguments.only_grow:
        rows = measure(arguments.scale, arguments.rounds)
        print(table(rows))
    if grow and (arguments.grow or arguments.only_grow):
        curves = grow(arguments.scale)
        print(growth_table(curves))
    if arguments.json:
        kept = {"rows": [asdict(row) for row in rows], "curves": [asdict(each) for each in curves]}
        arguments.json.write_text(json.dumps(kept))


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    cells = [HEADER, ["---"] * len(HEADER), *(line for row in rows for line in row.lines())]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _figure(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:#.2g}" if ratio < 1 else f"{ratio:.1f}"
