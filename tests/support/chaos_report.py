"""The table of docs/reliability.md, from the faults of a real long run."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos: written by make chaos -->", "<!-- chaos: end -->"


class Fault(Protocol):
    kind: str
    how: str
    recovered: float


def write_report(done: Sequence[Fault], *, seconds: float, machine: str, page: Path = PAGE) -> None:
    """Replace what stands between the two marks of the page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    told = f"{BEGIN}\n{table(done, seconds=seconds, machine=machine)}\n{END}"
    page.write_text(before + told + after, encoding="utf-8")


def table(done: Sequence[Fault], *, seconds: float, machine: str) -> str:
    """Faults by kind, the ways they came, and the time until the run got on again."""
    lines = [
        "| fault | survived | median to recover | longest | where |",
        "|---|---:|---:|---:|---|",
    ]
    for kind in dict.fromkeys(fault.kind for fault in done):
        mine = [fault for fault in done if fault.kind == kind]
        times = [fault.recovered for fault in mine]
        ways = Counter(fault.how for fault in mine)
        where = ", ".join(f"{how} {count}" for how, count in sorted(ways.items()))
        lines.append(
            f"| {kind} | {len(mine)} of {len(mine)} | {statistics.median(times):.1f} s"
            f" | {max(times):.1f} s | {where} |"
        )
    day = time.strftime("%Y-%m-%d")
    lines += [
        "",
        f"{len(done)} faults in {seconds / 60:.0f} minutes, `make chaos`, {day}: {machine}.",
    ]
    return "\n".join(lines)
