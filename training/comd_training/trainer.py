"""transformers' Trainer, with comd's objective, order of examples and metric lines."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from comd_training.failures import ConfigurationError, NonFiniteLossError
from comd_training.metrics import Metric
from comd_training.objectives.base import Batch, Objective
from comd_training.order import SeededOrder

if TYPE_CHECKING:

    class Trainer:
        """What is used of transformers' Trainer, for the type checker."""

        accelerator: Any
        is_deepspeed_enabled: bool
        state: Any

        def __init__(self, **trainer: Any) -> None: ...
        def is_world_process_zero(self) -> bool: ...
        def save_model(self, output_dir: str) -> None: ...
        def train(self) -> Any: ...

else:
    from transformers import Trainer


class StudentTrainer(Trainer):
    """What differs from the Trainer: loss, order, and what is reported after each step.

    Losses are sums over tokens divided by the tokens of the whole effective batch, so how a batch
    is cut into micro batches and ranks does not change its gradient. `report` is called after each
    step, on rank 0 only.
    """

    # compute_loss below divides by the whole batch's tokens, accumulation included.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        objective: Objective,
        order: SeededOrder,
        report: Callable[[Metric], None],
        started: float,
        **trainer: Any,
    ) -> None:
        super().__init__(**trainer)
        if not self.is_deepspeed_enabled:
            # accelerate falls back to plain data parallelism where its environment asks for it.
            raise ConfigurationError("accelerate did not choose DeepSpeed; look at ACCELERATE_*")
        self.objective = objective
        self.order = order
        self.report = report
        self.started = started
        self.tokens = 0
        self.loss_tokens = 0
        self._step_tokens = (0, 0)
        self._extra: dict[str, Tensor] = {}

    def _get_train_sampler(self, train_dataset: Any = None) -> SeededOrder:  # noqa: ARG002
        return self.order

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor]:
        """The micro batches of one optimizer step, and how many of their tokens carry loss."""
        batches = list(islice(epoch_iterator, num_batches))
        counted = torch.tensor(
            [
                sum(int((batch["labels"] != -100).sum()) for batch in batches),
                sum(int(batch["attention_mask"].sum()) for batch in batches),
            ],
            device=device,
        )
        counted = self.accelerator.reduce(counted, reduction="sum")
        self._step_tokens = (int(counted[0]), int(counted[1]))
        return batches, counted[0]

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: ARG002
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """This micro batch's share of the loss, times the ranks: DeepSpeed averages over them."""
        given = dict(inputs)
        labels = given.pop("labels")
        tokens = torch.as_tensor(num_items_in_batch, device=labels.device)
        scored = self.objective.loss(model, Batch(given, labels, tokens))
        for name, share in scored.metrics.items():
            self._extra[name] = self._extra.get(name, torch.zeros_like(share)) + share
        return scored.loss * self.accelerator.num_processes

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:  # noqa: ARG002
        """After each step: one metric. Raises NonFiniteLossError on every rank alike."""
        if "loss" not in logs:
            return
        step = self.state.global_step
        extra = {
            name: float(self.accelerator.reduce(share, reduction="sum"))
            for name, share in sorted(self._extra.items())
        }
        self._extra.clear()
        loss_tokens, tokens = self._step_tokens
        self.loss_tokens += loss_tokens
        self.tokens += tokens
        if not math.isfinite(logs["loss"]):
            raise NonFiniteLossError(f"the loss became {logs['loss']} at step {step}")
        if self.is_world_process_zero():
            norm = logs.get("grad_norm")
            self.report(
                Metric(
                    step=step,
                    loss=logs["loss"],
                    learning_rate=logs["learning_rate"],
                    grad_norm=norm if norm is not None and math.isfinite(norm) else None,
                    loss_tokens=loss_tokens,
                    tokens=tokens,
                    seconds=time.time() - self.started,
                    extra=extra,
                )
            )
