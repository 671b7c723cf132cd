"""What a tuner is asked for, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from comd_platform.config.engines import EngineConfig
from comd_platform.config.run import TrainingConfig


@dataclass(frozen=True, slots=True)
class Order:
    """`examples` is the Parquet file, `base` the weights to start from, `output` the tuner's own."""

    examples: Path
    image_root: Path
    output: Path
    base: str
    revision: str | None
    seed: int
    engine: EngineConfig
    config: TrainingConfig


@dataclass(frozen=True, slots=True)
class Result:
    """A complete checkpoint directory."""

    checkpoint: Path
    steps: int
    weights_sha256: str
