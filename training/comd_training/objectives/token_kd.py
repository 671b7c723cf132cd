"""Alignment of last hidden states (LLAVADI's token alignment), through a small MLP on the student's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from comd_platform.config.objectives import JointConfig, TokenKdConfig
from comd_training.objectives.base import (
    Batch,
    ObjectiveLoss,
    Pair,
    answer_cross_entropy,
    at_least_fp32,
)
from comd_training.objectives.teacher import ask

BRIDGE = "comd_bridge"
"""The MLP's name inside the student while it is trained: so the optimizer, ZeRO and the saved states
have it, whatever shards them. It is left out when the student is saved (trainer.py)."""


class TokenDistillation:
    """cross_entropy_weight * CE + token_weight * distance(MLP(student's state), teacher's state)."""

    def __init__(self, config: TokenKdConfig, pair: Pair) -> None:
        self._config = config
        self._teacher = pair.teacher
        build_bridge(config, pair)

    def loss(self, model: nn.Module, batch: Batch) -> ObjectiveLoss:
        outputs = model(**batch.inputs, use_cache=False, output_hidden_states=True)
        cross_entropy = answer_cross_entropy(outputs.logits, batch)
        told = ask(self._teacher, batch.teacher)
        bridged = cross(model, outputs.hidden_states[-1], batch)
        distance = DISTANCES[self._config.distance](bridged, told.states).sum() / batch.loss_tokens
        return ObjectiveLoss(
            self._config.cross_entropy_weight * cross_entropy
            + self._config.token_weight * distance,
            {"cross_entropy": cross_entropy.detach(), "token_kd": distance.detach()},
        )


def build_bridge(config: TokenKdConfig | JointConfig, pair: Pair) -> nn.Module:
    """Add the MLP, student's width -> teacher's, to the student; the same weights on every rank."""
    narrow, wide = width_of(pair.student), width_of(pair.teacher)
    between = config.hidden_width or wide
    like = next(p for p in pair.student.parameters() if p.requires_grad)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(pair.seed)
        bridge = nn.Sequential(nn.Linear(narrow, between), nn.GELU(), nn.Linear(between, wide))
    pair.student.add_module(BRIDGE, bridge.to(like.device, like.dtype))
    return bridge


def width_of(model: nn.Module) -> int:
    """Of the language model's hidden states."""
    width: int = model.config.get_text_config().hidden_size
    return width


def cross(model: nn.Module, states: Tensor, batch: Batch) -> Tensor:
    """(B, T, D) hidden states of the student -> (N, D of the teacher), at the answer positions."""
    inner = getattr(model, "module", model)  # DeepSpeed's engine wraps
    bridge: nn.Module = inner.get_submodule(BRIDGE)
    bridged: Tensor = bridge(states[:, :-1][batch.answers])
    return bridged


def cosine(ours: Tensor, theirs: Tensor) -> Tensor:
    """(N, D), (N, D) -> (N,): 1 - cosine similarity, in [0, 2]."""
    ours, theirs = at_least_fp32(ours), at_least_fp32(theirs)
    return 1 - torch.nn.functional.cosine_similarity(ours, theirs, dim=-1)


def mse(ours: Tensor, theirs: Tensor) -> Tensor:
    """(N, D), (N, D) -> (N,): the squared difference, mean over the width."""
    return (at_least_fp32(ours) - at_least_fp32(theirs)).square().mean(dim=-1)


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"cosine": cosine, "mse": mse}
