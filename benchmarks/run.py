"""Runs every benchmark, one after the other, and writes docs/performance.md: `make bench`.

What was measured stays in benchmarks/results/bench.json; `--page` writes the page from it again.

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
    parser.add_argument("--scale", type=float, default=1.0, help="1: the sizes of the page")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--page", action="store_true", help="write the page, measure nothing")
    arguments = parser.parse_args()
    kept = KEPT if arguments.scale == 1 else TRIED
    if not arguments.page:
        kept.parent.mkdir(exist_ok=True)
        command = (
            "make bench" if arguments.scale == 1 else f"benchmarks/run.py --scale {arguments.scale}"
        )
        kept.write_text(json.dumps(_measure(arguments.scale, arguments.rounds, command), indent=1))
    found = json.loads(kept.read_text())
    write_page(
        arguments.out,
        [Row(**row) for row in found["rows"]],
        [Curve(**curve) for curve in found["curves"]],
        Machine(**found["machine"]),
        command=found["command"],
        date=found["date"],
        seconds=found["seconds"],
    )
    if arguments.scale == 1:
        scale.write_page(found)
    print(f"wrote {arguments.out.name}; measured in {found['seconds']:.0f} s")


def _measure(scale: float, rounds: int, command: str) -> dict[str, Any]:
    """Everything that the page is made from."""
    started = time.monotonic()
    with server() as url:
        machine = describe_machine(libpq_url(url))
        environment = {**os.environ, SERVER: libpq_url(url)}
        scripts = [_run(script, scale, rounds, environment) for script in SCRIPTS]
    return {
        "command": command,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seconds": time.monotonic() - started,
        "machine": asdict(machine),
        "rows": [row for script in scripts for row in script["rows"]],
        "curves": [curve for script in scripts for curve in script["curves"]],
    }


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
