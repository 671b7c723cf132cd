"""Bytes that a forward and backward pass takes on a GPU beside the model's states."""

from __future__ import annotations

from dataclasses import dataclass

from comd_platform.config.training import Offload, Stage
from comd_training.memory.buffers import (
    GATHER_BUCKET,
    LIVE_PARAMETERS,
    PREFETCH,
    REDUCE_BUCKET,
)
from comd_training.memory.states import Weights

LAYER = 34
"""Bytes a layer keeps for each of sequence x hidden in 16 bit, attention without stored scores
(Korthikanti et al. 2022, equation 2, less its last term: SDPA and flash attention keep none)."""
RUNTIME = 1_200_000_000
"""CUDA context, NCCL and libraries' workspaces of one process."""
FRAGMENTS = 0.05
"""Share of what is allocated that the caching allocator loses between blocks."""


@dataclass(frozen=True, slots=True)
class Transformer:
    """The language model's measures: what activations grow with."""

    layers: int
    hidden: int
    vocabulary: int


def activation_bytes(
    model: Transformer,
    sequence: int,
    micro_batch: int,
    weight_bytes: float,
    *,
    checkpointing: bool,
) -> int:
    """What the language model keeps for the backward pass, logits and their fp32 copy included.

    sequence: tokens a dialogue, picture included. checkpointing: only each layer's input is kept,
    and one layer at a time is computed again. The frozen vision tower keeps nothing.
    """
    tokens = sequence * micro_batch
    wide = weight_bytes / 2  # everything is twice as large in fp32
    layer = LAYER * wide * tokens * model.hidden
    if checkpointing:
        body = model.layers * weight_bytes * tokens * model.hidden + layer
    else:
        body = model.layers * layer
    logits = tokens * model.vocabulary * (2 * weight_bytes + 4)
    return int(body + logits)


def buffer_bytes(weights: Weights, stage: Stage, parameters: Offload, gpus: int) -> int:
    """DeepSpeed's communication buffers and, under ZeRO-3, weights gathered at a time."""
    size = weights.weight_bytes
    reduced = 2 * min(REDUCE_BUCKET, weights.trained) * size  # one filled while one is sent
    if stage == 3:
        live = min(LIVE_PARAMETERS + PREFETCH, weights.total) * size
        return int(reduced + (live if gpus > 1 or parameters != "none" else 0))
    gathered = min(GATHER_BUCKET, weights.trained) * size
    return int(reduced + gathered) if gpus > 1 else int(reduced)
