"""Runs every benchmark, one after the other, and writes docs/performance.md: `make bench`.

What was measured stays in benchmarks/results/bench.json, script by script: a run that was cut short
goes on with the names of the rest, and `--page` writes the page from it again.

Another benchmark is a script in this directory with a `measure`, and a line in SCRIPTS.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import scale
from common import ROUNDS, Row
from databases import SERVER, server
from growth import Curve
from page import Machine, describe_machine, write_page

from comd_platform.db.engine import libpq_url

SCRIPTS = (
    "diversity",
    "near_duplicates",
    "import_llava",
    "image_store",
    "labelling",
    "assessment",
    "generation",
    "training_step",
    "ledger",
    "reports",
    "lineage",
    "commands",
)
HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
KEPT = HERE / "results" / "bench.json"
TRIED = HERE.parent / "build" / "bench.json"  # of a run at another scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "scripts", nargs="*", metavar="SCRIPT", help="these alone; the others stay as measured"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="1: the sizes of the page")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--page", action="store_true", help="write the page, measure nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.scripts) - set(SCRIPTS):
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(SCRIPTS)}")
    kept = KEPT if arguments.scale == 1 else TRIED
    if not arguments.page:
        _measure(kept, arguments.scripts or SCRIPTS, arguments.scale, arguments.rounds)
    found = json.loads(kept.read_text())
    measured = [found["scripts"][name] for name in SCRIPTS if name in found["scripts"]]
    dates = sorted({script["date"] for script in measured})
    told = {
        "rows": [row for script in measured for row in script["rows"]],
        "command": "make bench"
        if arguments.scale == 1
        else f"benchmarks/run.py --scale {arguments.scale}",
        "date": dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
        "seconds": sum(script["seconds"] for script in measured),
        "machine": found["machine"] | {"load": max(script["load"] for script in measured)},
    }
    write_page(
        arguments.out,
        [Row(**row) for row in told["rows"]],
        [Curve(**curve) for script in measured for curve in script["curves"]],
        Machine(**told["machine"]),
        command=told["command"],
        date=told["date"],
        seconds=told["seconds"],
    )
    if arguments.scale == 1 and len(measured) == len(SCRIPTS):
        scale.write_page(told)
    print(f"wrote {arguments.out.name}; measured in {told['seconds']:.0f} s")


def _measure(kept: Path, scripts: Sequence[str], scale: float, rounds: int) -> None:
    """Measure them, each kept as soon as it is done; what is kept of the others stays."""
    kept.parent.mkdir(exist_ok=True)
    before = json.loads(kept.read_text()) if kept.exists() else {"scripts": {}}
    with server() as url:
        machine = describe_machine(libpq_url(url))
        environment = {**os.environ, SERVER: libpq_url(url)}
        for script in scripts:
            started = time.monotonic()
            measured = _run(script, scale, rounds, environment)
            before["machine"] = asdict(machine)
            before["scripts"][script] = {
                "date": f"{datetime.now(UTC):%Y-%m-%d}",
                "seconds": time.monotonic() - started,
                "load": machine.load,
                **measured,
            }
            kept.write_text(json.dumps(before, indent=1))


def _run(script: str, scale: float, rounds: int, environment: dict[str, str]) -> dict[str, Any]:
    """A script in a process of its own, so that no benchmark warms or weighs down another."""
    print(f"{script} ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="comd-bench-") as room:
        kept = Path(room) / "measured.json"
        subprocess.run(
            [
                sys.executable,
                HERE / f"{script}.py",
                f"--scale={scale}",
                f"--rounds={rounds}",
                f"--json={kept}",
                "--grow",
            ],
            env=environment,
            check=True,
        )
        measured: dict[str, Any] = json.loads(kept.read_text())
        return measured


if __name__ == "__main__":
    main()
