"""AdamW in three forms: torch's, torch's fused one, and DeepSpeed's, which is compiled at first use."""

from __future__ import annotations

import importlib
from typing import Any

from comd_training.failures import ConfigurationError
from comd_training.spec import TrainingSpec


def chosen_optimizer(spec: TrainingSpec) -> str:
    """`torch`, `torch_fused` or `deepspeed`: what was asked for, or what `auto` means here."""
    asked = spec.hyperparameters
    if asked.optimizer != "auto":
        return asked.optimizer
    if asked.offload_optimizer != "none":
        return "deepspeed"
    return "torch" if spec.device == "cpu" else "torch_fused"


def trainers_optimizer(spec: TrainingSpec) -> str:
    """The Trainer's word for it; DeepSpeed's own are handed to it instead (deepspeeds_optimizer)."""
    return "adamw_torch_fused" if chosen_optimizer(spec) == "torch_fused" else "adamw_torch"


def deepspeeds_optimizer(spec: TrainingSpec) -> tuple[Any, dict[str, Any]] | None:
    """DeepSpeed's CPUAdam (states beside the GPU) or FusedAdam, and its arguments; None for torch's.

    Raises ConfigurationError where it cannot be compiled here.
    """
    if chosen_optimizer(spec) != "deepspeed":
        return None
    adam: Any = importlib.import_module("deepspeed.ops.adam")
    builders: Any = importlib.import_module("deepspeed.ops.op_builder")
    offloaded = spec.hyperparameters.offload_optimizer != "none"
    name = "CPUAdam" if offloaded else "FusedAdam"
    if not offloaded and spec.device == "cpu":
        raise ConfigurationError(
            "optimizer deepspeed without offload is FusedAdam, which needs a GPU; use torch or auto"
        )
    builder = builders.CPUAdamBuilder if offloaded else builders.FusedAdamBuilder
    try:
        builder().load()
    # Whatever a compiler, ninja or a CUDA toolkit that does not fit may raise.
    except Exception as error:
        raise ConfigurationError(
            f"DeepSpeed's {name} cannot be compiled here: {error}. It needs a C++ compiler and ninja"
            + ("" if offloaded else ", and nvcc of torch's CUDA")
            + "; optimizer: torch does without"
        ) from error
    asked = spec.hyperparameters
    how: dict[str, Any] = {"lr": asked.learning_rate, "betas": (0.9, 0.999), "eps": 1e-8}
    if offloaded:
        return adam.DeepSpeedCPUAdam, how | {"adamw_mode": True}
    return adam.FusedAdam, how | {"adam_w_mode": True}
