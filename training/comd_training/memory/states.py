"""Bytes of weights, gradients and optimizer states, by ZeRO stage and offload: pure arithmetic.

For a model that is trained whole in 16 bit this is what DeepSpeed's own estimators give (0.19:
`estimate_zero2_model_states_mem_needs`, `estimate_zero3_model_states_mem_needs`); a test compares
them. Theirs know neither frozen weights nor LoRA nor fp32, and this one does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comd_platform.config.training import Offload, Stage

Precision = Literal["fp32", "bf16", "fp16"]

HEADROOM = 1.5
"""What DeepSpeed's estimators add to memory beside the cards (additional_buffer_factor)."""
MASTER = 4
MOMENTS = 8
FP32_GRADIENT = 4
IN_CPU = 1_000_000_000
"""Parameters that stay in memory when the rest is on NVMe (DeepSpeed's max_in_cpu)."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Parameters: `total` in the model, `trained` of them with gradients, `largest_layer` in one
    module; `weight_bytes`: of one weight in the training's precision."""

    total: int
    trained: int
    largest_layer: int
    weight_bytes: float


@dataclass(frozen=True, slots=True)
class States:
    """Bytes: of each GPU, and of each node's memory beside its GPUs (headroom included)."""

    parameters: int
    gradients: int
    optimizer: int
    cpu: int
    nvme: int

    @property
    def gpu(self) -> int:
        return self.parameters + self.gradients + self.optimizer


def bytes_per_weight(precision: Precision) -> int:
    return 4 if precision == "fp32" else 2


def model_states(
    weights: Weights,
    stage: Stage,
    optimizer: Offload,
    parameters: Offload,
    gpus_per_node: int,
    nodes: int,
) -> States:
    """What weights, gradients and optimizer take where (ZeRO, Rajbhandari et al. 2020, section 5).

    A trained parameter costs its weight and gradient, an fp32 gradient, an fp32 copy and two
    moments. ZeRO-1 divides the last three over all GPUs, ZeRO-2 the gradients too, ZeRO-3 the
    weights as well; there the largest layer is gathered whole, weight and gradient.
    """
    gpus = gpus_per_node * nodes
    size, trained = weights.weight_bytes, weights.trained
    held = size * weights.total
    fp32 = (MASTER + MOMENTS) * trained
    # Each process reads the weights before they are divided; ZeRO-3 divides them as they are read.
    loading = 4 * gpus_per_node * (weights.largest_layer if stage == 3 else weights.total)
    if stage == 3:
        gathered = 4 * weights.largest_layer
        on_gpu = gathered if parameters != "none" else gathered + held / gpus
        gradients = FP32_GRADIENT * trained / gpus
    else:
        on_gpu = held
        share = gpus if stage == 2 else 1
        gradients = size * trained / share + FP32_GRADIENT * trained / gpus
    states = fp32 / gpus
    cpu: float = loading
    nvme = 0.0
    if optimizer != "none":
        gradients, states = 0.0, 0.0
        moved = (FP32_GRADIENT + MASTER + MOMENTS) * trained / nodes
        if parameters != "none":
            moved += held / nodes
        if optimizer == "nvme":
            nvme = fp32 / nodes + (held / nodes if parameters == "nvme" else 0)
            moved = moved - nvme + min(IN_CPU, weights.total) * size
        cpu = moved if stage == 3 else max(loading, moved)
    return States(int(on_gpu), int(gradients), int(states), int(cpu * HEADROOM), int(nvme))
