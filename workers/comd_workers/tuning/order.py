"""What a tuner is asked for, and what it hands back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from comd_platform.config.engines import EngineConfig
from comd_platform.config.run import TrainingConfig
from comd_training.metrics import Metric


@dataclass(frozen=True, slots=True)
class Order:
    """`examples` is the Parquet file, `base` the weights to start from, `output` the tuner's own;
    `owner` is the training run on whose behalf it is. `teacher` says how the teacher is reached, for
    objectives that run it; `teacher_logits` is the file of what it had stored, for those that read."""

    examples: Path
    image_root: Path
    output: Path
    base: str
    revision: str | None
    seed: int
    engine: EngineConfig
    config: TrainingConfig
    owner: str
    teacher: EngineConfig | None = None
    teacher_logits: Path | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears how a training goes on (comd_training.supervise), and may end it with `stop`."""

    on_metric: Callable[[Metric], None]
    on_alive: Callable[[], None]
    on_saved: Callable[[int], None]
    stop: threading.Event


@dataclass(frozen=True, slots=True)
class Result:
    """A complete checkpoint directory."""

    checkpoint: Path
    steps: int
    weights_sha256: str
