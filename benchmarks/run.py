"""Runs every benchmark, one after the other, and writes docs/performance.md: `make bench`.

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
from pathlib import Path

from common import ROUNDS, Row
from databases import SERVER, server
from page import describe_machine, write_page

from comd_platform.db.engine import libpq_url

SCRIPTS = (
    "diversity",
    "near_duplicates",
    "import_llava",
    "assess",
    "ledger",
    "commands",
)
HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1: the sizes of the page")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=PAGE)
    arguments = parser.parse_args()
    started = time.monotonic()
    with server() as url:
        machine = describe_machine(libpq_url(url))
        environment = {**os.environ, SERVER: libpq_url(url)}
        rows = [
            row
            for script in SCRIPTS
            for row in _run(script, arguments.scale, arguments.rounds, environment)
        ]
    seconds = time.monotonic() - started
    command = (
        "make bench" if arguments.scale == 1 else f"benchmarks/run.py --scale {arguments.scale}"
    )
    write_page(arguments.out, rows, machine, command=command, seconds=seconds)
    print(f"wrote {arguments.out.name} after {seconds:.0f} s")


def _run(script: str, scale: float, rounds: int, environment: dict[str, str]) -> list[Row]:
    """A script in a process of its own, so that no benchmark warms or weighs down another."""
    print(f"{script} ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="comd-bench-") as room:
        kept = Path(room) / "rows.json"
        subprocess.run(
            [
                sys.executable,
                HERE / f"{script}.py",
                f"--scale={scale}",
                f"--rounds={rounds}",
                f"--json={kept}",
            ],
            env=environment,
            check=True,
        )
        return [Row(**row) for row in json.loads(kept.read_text())]


if __name__ == "__main__":
    main()
