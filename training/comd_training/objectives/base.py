"""What a training objective is: a small class with `loss(model, batch)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro batch on this rank's device.

    inputs: what the model's forward takes: `input_ids` and `attention_mask` (B, T), pixels, ...
    labels: (B, T); the token itself where it carries loss, -100 elsewhere; column 0 never does.
    loss_tokens: scalar, tokens that carry loss in the whole effective batch: all accumulation
        steps, all ranks. Dividing sums by it makes a token weigh the same however the batch is cut.
    teacher: what `teaching.py` adds: the same dialogues as the teacher reads them, with `labels` of
        its own, or its stored logits. Empty for objectives without a teacher.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor
    loss_tokens: Tensor
    teacher: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def answers(self) -> Tensor:
        """(B, T-1) bool: positions whose *next* token carries loss; N of them."""
        return answer_positions(self.labels)


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


@dataclass(frozen=True, slots=True)
class Pair:
    """What an objective is made with: the student, and the teacher where the objective runs it.

    tokens: how many the tokenizers know. Rows of a language model's head beyond them are padding,
        which differs between sizes of one family; distributions are compared without it.
    seed: of what an objective draws itself.
    """

    student: nn.Module
    teacher: Any
    tokens: int
    seed: int


def answer_positions(labels: Tensor) -> Tensor:
    """(B, T) labels -> (B, T-1) bool: where the *next* token carries loss."""
    return labels[:, 1:] != -100


def at_least_fp32(values: Tensor) -> Tensor:
    """float16 and bfloat16 raised to float32; float64 as it is."""
    return values if values.dtype == torch.float64 else values.float()


def answer_cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of the answer tokens (eq. 3), summed, over `loss_tokens`.

    logits: (B, T, V), any float type; only the rows that carry loss are raised to fp32, which at
    V = 32,000 is most of the memory that the usual full upcast takes.
    """
    told = at_least_fp32(logits[:, :-1][batch.answers])  # (N, V)
    wanted = batch.labels[:, 1:][batch.answers]  # (N,)
    summed = torch.nn.functional.cross_entropy(told, wanted, reduction="sum")
    return summed / batch.loss_tokens
