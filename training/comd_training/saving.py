"""When a training saves where it stands, and how: all ranks write aside, the first one renames."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.trainer import TRAINER_STATE_NAME

from comd_platform.faults import fault_point
from comd_training.checkpoint import fresh_directory, publish
from comd_training.files import sync_file
from comd_training.plain import read_plain, write_plain
from comd_training.resume import STOP, Standing, aside, drop_older, resume_root, step_directory
from comd_training.spec import TrainingSpec

SHARE_OF_TIME = 10
"""After a save that took t seconds the next one is at least ten times t away."""


class Schedule:
    """Rank 0's clock: whether to save after the step that begins now, and whether to leave."""

    def __init__(self, spec: TrainingSpec) -> None:
        self._spec = spec
        self._due = self._after(time.monotonic(), 0.0)

    def wanted(self, step: int) -> tuple[bool, bool]:
        """(save, leave) after `step`, counted from 1."""
        leave = (self._spec.output / STOP).exists()
        every = self._spec.save_every_steps
        by_steps = every is not None and step % every == 0
        return leave or by_steps or time.monotonic() >= self._due, leave

    def saved(self, took: float) -> None:
        self._due = self._after(time.monotonic(), took)

    def _after(self, now: float, took: float) -> float:
        every = self._spec.save_every_seconds
        return float("inf") if every is None else now + max(every, SHARE_OF_TIME * took)


def save_state(
    spec: TrainingSpec,
    standing: Standing,
    *,
    engine: Any,
    trainer_state: Any,
    wait: Callable[[], None],
    rank: int,
) -> None:
    """On every rank: DeepSpeed's state and this rank's generators; rank 0 makes them one directory.

    engine: DeepSpeed's; trainer_state: the Trainer's, which is JSON; wait: a barrier over all ranks.
    A failure leaves what was saved before.
    """
    directory = aside(spec)
    if rank == 0:
        fresh_directory(directory)
    wait()
    engine.save_checkpoint(
        str(directory),
        tag=f"global_step{standing.step}",
        # Beside adapters, the frozen weights are the model's that it starts from again.
        exclude_frozen_parameters=spec.hyperparameters.lora is not None,
    )
    write_plain(_generators(), _generator_file(directory, rank))
    wait()
    if rank == 0:
        sync_file(spec.output / "metrics.jsonl")  # they say as much as the state does
        trainer_state.save_to_json(str(directory / TRAINER_STATE_NAME))
        standing.write(directory)
        fault_point("training.saving")
        resume_root(spec).mkdir(exist_ok=True)
        publish(directory, step_directory(spec, standing.step))
        drop_older(spec, standing.step)
        fault_point("training.saved")


def restore_generators(directory: Path, rank: int) -> None:
    """This rank's random generators as they were when `directory` was written."""
    told = read_plain(_generator_file(directory, rank))
    random.setstate(told["python"])
    name, keys, *rest = told["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    torch.random.set_rng_state(told["torch"])
    if told["cuda"] is not None:
        torch.cuda.set_rng_state(told["cuda"])


def _generators() -> dict[str, Any]:
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (name, [int(key) for key in keys], *rest),
        "torch": torch.random.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def _generator_file(directory: Path, rank: int) -> Path:
    return directory / f"generators-{rank}.safetensors"
