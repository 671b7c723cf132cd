"""Play the evidence, keep its raw results, write the page.

python -m comd_workers.evidence                       # five fresh seeds, split test-evidence
python -m comd_workers.evidence --split dev --seeds 101,102 --arms competitive,replay-05
python -m comd_workers.evidence --page-only           # docs/evidence.md from the raw results
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from comd_tinyworld.scenes import HELD_OUT
from comd_workers.cli.connect import database
from comd_workers.cli.loop import stop_on_signals
from comd_workers.cli.progress import Board
from comd_workers.evidence.arms import ARMS, find_arm
from comd_workers.evidence.collect import collect, write_results
from comd_workers.evidence.play import Evidence

SEEDS = "11,12,13,14,15"
RESULTS = Path("docs/evidence/results.json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--split", choices=HELD_OUT, default="test-evidence")
    parser.add_argument("--seeds", default=SEEDS)
    parser.add_argument("--arms", default=",".join(arm.name for arm in ARMS))
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    seeds = [int(seed) for seed in chosen.seeds.split(",")]
    arms = [find_arm(name) for name in chosen.arms.split(",")]
    with database() as (engine, settings):
        evidence = Evidence(engine, settings, split=chosen.split, seeds=seeds, arms=arms)
        evidence.import_data()
        with Board() as board:
            ended = evidence.play(board.watch, stop_on_signals())
        write_results(collect(engine, evidence, ended), chosen.results)
    sys.stdout.write(f"raw results: {chosen.results}\n")


if __name__ == "__main__":
    main()
