"""What the objectives are worth on tinyworld: the same labels and steps, another loss.

python -m comd_workers.evidence.objectives              # three seeds, split test-evidence
python -m comd_workers.evidence.objectives --page-only  # docs/objectives.md from the raw results

The tables stand in docs/objectives.md between two marks; what is around them people wrote.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from comd_tinyworld.scenes import HELD_OUT
from comd_workers.cli.connect import database
from comd_workers.cli.loop import stop_on_signals
from comd_workers.cli.progress import Board
from comd_workers.evidence.arms import Arm
from comd_workers.evidence.collect import collect, write_results
from comd_workers.evidence.page import differences, interval, made, spreads, table
from comd_workers.evidence.play import Evidence
from comd_workers.evidence.results import MEASURES, Results

SEEDS = "21,22,23"
PAGE, RESULTS = Path("docs/objectives.md"), Path("docs/evidence/objectives.json")
BEGIN = "<!-- measured: python -m comd_workers.evidence.objectives writes from here -->"
END = "<!-- measured: to here -->"

SEED_POOL = ("method.selection=none",)
"""Every iteration tunes on the seed pool again: all arms of a seed learn from the same answers."""
_LOOP = "method.selection=competitive"
_SOFT = "{name: logit_kd, temperature: 4}"
SFT = Arm("sft", "sft (the paper)")
SAME_LABELS = (
    SFT,
    Arm("logit_kd", "logit_kd", ("training.objective=logit_kd",)),
    Arm("logit_kd-t4", "logit_kd, temperature 4", (f"training.objective={_SOFT}",)),
    Arm("token_kd", "token_kd", ("training.objective=token_kd",)),
    Arm("joint", "joint", ("training.objective=joint",)),
)
LOOP = (
    Arm("loop-sft", "loop, sft", (_LOOP,)),
    Arm(
        "loop-logit_kd-t4", "loop, logit_kd, temperature 4", (_LOOP, f"training.objective={_SOFT}")
    ),
)
"""The paper's loop, where what is learned decides what is asked next; the best of the arms above."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--split", choices=HELD_OUT, default="test-evidence")
    parser.add_argument("--seeds", default=SEEDS, help="comma-separated")
    parser.add_argument("--results", type=Path, default=RESULTS, help="raw results, JSON")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--same-labels-only", action="store_true", help="without the loop's arms")
    parser.add_argument("--page-only", action="store_true", help="play nothing")
    chosen = parser.parse_args(arguments)
    if not chosen.page_only:
        arms = SAME_LABELS if chosen.same_labels_only else (*SAME_LABELS, *LOOP)
        with database() as (engine, settings):
            evidence = Evidence(
                engine,
                settings,
                split=chosen.split,
                seeds=[int(seed) for seed in chosen.seeds.split(",")],
                arms=arms,
                changes=SEED_POOL,
                base=SFT,
            )
            evidence.import_data()
            with Board() as board:
                ended = evidence.play(board.watch, stop_on_signals())
            write_results(collect(engine, evidence, ended), chosen.results)
    before, begin, rest = chosen.page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{chosen.page} lacks the marks between which the measured part stands")
    measured = tables(Results.read(chosen.results))
    chosen.page.write_text(f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}", encoding="utf-8")


def tables(results: Results) -> str:
    """Scores after the last iteration, and paired differences to sft, of each kind of arm."""
    parts = [made(results)]
    for title, arms in (("The same labels", SAME_LABELS), ("In the loop", LOOP)):
        played = {arm.name: arm.title for arm in arms if arm.name in results.titles}
        if not played:
            continue
        baseline = arms[0].name
        parts += [
            f"### {title}",
            spreads(results, played),
            f"Less *{arms[0].title}*, paired by seed:",
            differences(results, baseline, played),
            "The 95 % intervals of these differences (t, few seeds):",
            _intervals(results, baseline, played),
            _training(results, baseline, played),
        ]
    return "\n\n".join(parts)


def _intervals(results: Results, baseline: str, arms: dict[str, str]) -> str:
    return table(
        ("arm", *(measure.title for measure in MEASURES)),
        [
            (
                title,
                *(
                    interval(found) if (found := results.difference(arm, baseline, each)) else "-"
                    for each in MEASURES
                ),
            )
            for arm, title in arms.items()
            if arm != baseline
        ],
    )


def _training(results: Results, baseline: str, arms: dict[str, str]) -> str:
    """Steps, answers and seconds of tuning, over all iterations; seconds against the baseline's."""
    base = _seconds(results.iterations(baseline))
    rows = []
    for arm, title in arms.items():
        found = results.iterations(arm)
        seeds = len({row["seed"] for row in found}) or 1
        rows.append(
            (
                title,
                f"{sum(row['steps'] for row in found) / seeds:,.0f}",
                f"{fmean(row['examples'] for row in found):,.0f}",
                f"{_seconds(found) / base:.2f}",
            )
        )
    return table(("arm", "steps", "answers an iteration", "tuning time / sft's"), rows)


def _seconds(rows: Sequence[Any]) -> float:
    return fmean(row["seconds"] for row in rows)


if __name__ == "__main__":
    main()
