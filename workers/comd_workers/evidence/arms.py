"""The arms: what each changes, and nothing else. Iteration 1 is shared by all arms of a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from comd_workers.demo.arms import run_document

ITERATIONS = 4


@dataclass(frozen=True, slots=True)
class Arm:
    """`overrides` go over the competitive run's config, as `--set` would."""

    name: str
    title: str
    overrides: tuple[str, ...] = ()


BASE = Arm("competitive", "competitive (CoMD, τ = 0.33)")
_ACCUMULATE = "pools.mode=accumulate"
ARMS: tuple[Arm, ...] = (
    BASE,
    # At equal budget this is tau = 0 and tau = 1 too: with all of one band, a seeded sample of all.
    Arm("random", "random augmentation (= τ 0, τ 1)", ("method.selection=random",)),
    Arm("seed-only", "seed pool only", ("method.selection=none",)),
    Arm("regret", "regret", ("method.selection=regret",)),
    Arm("uncertainty", "uncertainty (no judge)", ("method.selection=uncertainty",)),
    Arm("hard-only", "hard only", ("method.easy_share=0",)),
    Arm("accumulate", "competitive, accumulate", (_ACCUMULATE,)),
    Arm("replay", "competitive, replay 0.25", ("pools.mode=replay",)),
    Arm("tau-067", "τ = 0.67", ("method.difficulty_threshold=0.67",)),
    Arm("accumulate-random", "random, accumulate", (_ACCUMULATE, "method.selection=random")),
    Arm("accumulate-1", "accumulate, one answer a dialogue", (_ACCUMULATE, "pools.max_turns=1")),
)
# Only looked at on `dev`, with other seeds; what became of them is in docs/decisions.md.
TRIED: tuple[Arm, ...] = (
    Arm("replay-05", "competitive, replay 0.5", ("pools.mode=replay", "pools.replay_share=0.5")),
    Arm("accumulate-hard", "hard only, accumulate", (_ACCUMULATE, "method.easy_share=0")),
    Arm("tau-0", "τ = 0", ("method.difficulty_threshold=0",)),
    Arm("tau-1", "τ = 1", ("method.difficulty_threshold=1",)),
)


def find_arm(name: str) -> Arm:
    """An arm by its name. Raises KeyError."""
    return {arm.name: arm for arm in (*ARMS, *TRIED)}[name]


def document(name: str, seed: int, benchmarks: tuple[str, ...]) -> dict[str, Any]:
    """The competitive run of one seed: the demo's settings, other questions held out.

    The last iteration is not assessed: no pool grows from it, and its student is scored held out.
    """
    made = run_document(name, seed)
    made["evaluation"]["benchmarks"] = list(benchmarks)
    made["method"]["assess_last"] = False
    return made
