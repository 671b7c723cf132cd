"""What a training objective is: a small class with `loss(model, batch)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro batch on this rank's device.

    inputs: what the model's forward takes: `input_ids` and `attention_mask` (B, T), pixels, ...
    labels: (B, T); the token itself where it carries loss, -100 elsewhere; column 0 never does.
    loss_tokens: scalar, tokens that carry loss in the whole effective batch: all accumulation
        steps, all ranks. Dividing sums by it makes a token weigh the same however the batch is cut.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor
    loss_tokens: Tensor

    @property
    def answers(self) -> Tensor:
        """(B, T-1) bool: positions whose *next* token carries loss."""
        return self.labels[:, 1:] != -100


@dataclass(frozen=True, slots=True)
class ObjectiveLoss:
    """`loss`: scalar, this micro batch's share, a sum over its tokens / `loss_tokens`.

    metrics: further shares (scalars, detached, divided alike); they are summed over micro batches
        and ranks and stand in the metric lines under their names.
    """

    loss: Tensor
    metrics: Mapping[str, Tensor] = field(default_factory=dict)


class Objective(Protocol):
    """One way to turn a batch into a loss. Stateless, or owning what it needs (a teacher, say).

    A class may say `logits_only = True`: it reads no hidden states, so that of a packed row only the
    logits before answers need to be computed (rows.answers_only).
    """

    def loss(self, model: nn.Module, batch: Batch) -> ObjectiveLoss:
        """Run `model` forward on `batch.inputs` (once: DeepSpeed counts) and score it."""
        ...


def answer_cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of the answer tokens (eq. 3), summed, over `loss_tokens`.

    logits: (B, T, V), any float type; only the rows that carry loss are raised to fp32, which at
    V = 32,000 is most of the memory that the usual full upcast takes.
    """
    told = logits[:, :-1][batch.answers].float()  # (N, V)
    wanted = batch.labels[:, 1:][batch.answers]  # (N,)
    summed = torch.nn.functional.cross_entropy(told, wanted, reduction="sum")
    return summed / batch.loss_tokens
