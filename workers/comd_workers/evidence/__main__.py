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

from comd_tinyworld.scenes import HELD_OUT, Split
from comd_workers.cli.connect import database
from comd_workers.cli.loop import stop_on_signals
from comd_workers.cli.progress import Board
from comd_workers.evidence.arms import ARMS, find_arm
from comd_workers.evidence.collect import collect, write_results
from comd_workers.evidence.figure import draw
from comd_workers.evidence.page import FIGURE, page
from comd_workers.evidence.play import Evidence
from comd_workers.evidence.results import Results

SEEDS = "11,12,13,14,15"
DOCS, PAGE, RESULTS = Path("docs"), "evidence.md", "evidence/results.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--split", choices=HELD_OUT, default="test-evidence")
    parser.add_argument("--seeds", default=SEEDS, help="comma-separated")
    parser.add_argument(
        "--arms", default=",".join(arm.name for arm in ARMS), help="comma-separated"
    )
    parser.add_argument("--results", type=Path, default=DOCS / RESULTS, help="raw results, JSON")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the page")
    parser.add_argument(
        "--page-only", action="store_true", help="play nothing; page from --results"
    )
    parser.add_argument("--no-page", action="store_true", help="play, and write raw results only")
    chosen = parser.parse_args(arguments)
    if not chosen.page_only:
        seeds = [int(seed) for seed in chosen.seeds.split(",")]
        _play(chosen.split, seeds, chosen.arms.split(","), chosen.results)
        _say(f"raw results: {chosen.results}")
    if not chosen.no_page:
        _write_page(chosen.results, chosen.docs)
        _say(f"page: {chosen.docs / PAGE}")


def _play(split: Split, seeds: list[int], names: list[str], out: Path) -> None:
    with database() as (engine, settings):
        evidence = Evidence(
            engine, settings, split=split, seeds=seeds, arms=[find_arm(name) for name in names]
        )
        evidence.import_data()
        with Board() as board:
            ended = evidence.play(board.watch, stop_on_signals())
        write_results(collect(engine, evidence, ended), out)


def _write_page(results: Path, docs: Path) -> None:
    read = Results.read(results)
    written = [
        (Path(__file__).parent / name).read_text(encoding="utf-8")
        for name in ("method.md", "words.md")
    ]
    (docs / PAGE).write_text(page(read, *written), encoding="utf-8")
    draw(read, docs / FIGURE)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
