"""Weights & Biases: one run of theirs for one of ours, resumed by name; WANDB_* settings apply."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import wandb


class WandbTracker:
    """Steps that the run has already are refused by W&B itself, and left out here."""

    def __init__(self, run: str, config: Mapping[str, object], place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project="comd",
            id=f"comd-{run}",
            name=run,
            config=dict(config),
            dir=str(place),
            resume="allow",
        )

    def seen(self) -> int:
        return int(self._run.step) - 1 if self._run.resumed else 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


def open_tracker(run: str, config: Mapping[str, object], place: Path) -> WandbTracker:
    return WandbTracker(run, config, place)
