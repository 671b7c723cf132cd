"""docs/performance.md from rows: the table, what each row is, and the machine it was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import growth
import psutil
import psycopg
from common import Row, table
from growth import Curve

PACKAGES = ("comd", "sqlalchemy", "psycopg", "rapidfuzz", "rouge-score", "numpy", "pillow")

HEAD = """\
# Speed, side by side

`{command}` measured this page and wrote it; change the benchmarks, not the page. A ratio says how
many times as fast comd is as what stands beside it: above 1 it is faster. A bare COPY,
kernel, statement or interpreter is no competitor; it shows how much of the time is comd's own.

Contenders take turns within a round and every round begins with another one. Speeds are medians over
the rounds; ratios are formed within a round, and shown as their median (lowest to highest). Absolute
times drift from day to day; compare ratios.{shared}

{table}

## What each row is

{notes}
{growth}
## Where it was measured

{machine}

## Adding a row

One script in `benchmarks/` with a function `measure` (and `grow`, where there are sizes to walk
through), and its name in `SCRIPTS` of `benchmarks/run.py`. Each script also runs alone, and small
while one works on it: `.venv/bin/python benchmarks/ledger.py --scale 0.1 --grow`. What was measured
stays in `benchmarks/results/bench.json`; `benchmarks/run.py --page` makes this page from it. They use
an embedded PostgreSQL of their own, or the server that `COMD_BENCH_DATABASE_URL` names.
"""
GROWTH = """
## How cost grows

The exponent is that of a least-squares line through the logarithms: 1 is linear, below 1 something
fixed still weighs. *At the end* is the exponent between the two largest sizes; above {limit} it is
bold, and the notes say where it lies.

{table}
{notes}
{pictures}
"""
SHARED = """

**This run shared its machine with other work**: the load average was {load:.1f} on {cores} cores
before it began. More processes then get a larger share of the cores, so the ledger's ratios between
numbers of claimers say little here."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the numbers depend on. `load` is the load average just before the first benchmark."""

    cores: int
    cpu: str
    memory_gib: float
    system: str
    load: float
    versions: dict[str, str]


def describe_machine(database_url: str) -> Machine:
    """The machine as it is now."""
    load = os.getloadavg()[0]
    with psycopg.connect(database_url) as connection:
        postgres = f"{connection.info.server_version // 10_000}"
        postgres += f".{connection.info.server_version % 10_000}"
    return Machine(
        cores=len(psutil.Process().cpu_affinity())
        if hasattr(psutil.Process, "cpu_affinity")
        else os.cpu_count() or 1,
        cpu=_cpu(),
        memory_gib=psutil.virtual_memory().total / 2**30,
        system=f"{platform.system()} {platform.machine()}",
        load=load,
        versions={
            "Python": platform.python_version(),
            "PostgreSQL": postgres,
            **{name: version(name) for name in PACKAGES},
        },
    )


def write_page(
    path: Path,
    rows: list[Row],
    curves: list[Curve],
    machine: Machine,
    *,
    command: str,
    date: str,
    seconds: float,
) -> None:
    """(Re)write the page, and the pictures beside it in images/growth."""
    facts = {
        "machine": f"{machine.cores} cores of {machine.cpu}, {machine.memory_gib:.0f} GiB of memory,"
        f" {machine.system}",
        "versions": ", ".join(f"{name} {number}" for name, number in machine.versions.items()),
        "date": date,
        "command": f"`{command}`, {seconds:.0f} s in all",
        "load average before": f"{machine.load:.1f}",
    }
    shared = machine.load > machine.cores / 4
    text = HEAD.format(
        command=command,
        shared=SHARED.format(load=machine.load, cores=machine.cores) if shared else "",
        table=table(rows),
        notes="\n".join(f"- **{row.what}**: {row.note} Rounds: {row.rounds}." for row in rows),
        growth=_growth(curves, path.parent) if curves else "",
        machine="\n".join(
            ["| | |", "| --- | --- |", *(f"| {k} | {v} |" for k, v in facts.items())]
        ),
    )
    path.write_text(text)


def _growth(curves: list[Curve], folder: Path) -> str:
    pictures = growth.draw(curves, folder / "images" / "growth")
    return GROWTH.format(
        limit=growth.WORSE_THAN_LINEAR,
        table=growth.table(curves),
        notes="".join(f"\n- **{each.what}**: {each.note}" for each in curves if each.note),
        pictures="\n".join(
            f"\n![{topic}: seconds over size]({picture.relative_to(folder)})"
            for topic, picture in pictures.items()
        ),
    )


def _cpu() -> str:
    """The processor's model, as Linux names it or as Python knows it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
