"""transformers' Trainer, with comd's objective, order of examples and metric lines."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from comd_platform.faults import fault_point
from comd_training.failures import ConfigurationError, NonFiniteLossError
from comd_training.metrics import Metric
from comd_training.objectives.base import Batch, Objective
from comd_training.objectives.token_kd import BRIDGE
from comd_training.order import SeededOrder
from comd_training.resume import Standing, libraries
from comd_training.rows import answers_only
from comd_training.saving import Schedule, restore_generators, save_state
from comd_training.spec import TrainingSpec

if TYPE_CHECKING:

    class Trainer:
        """What is used of transformers' Trainer, for the type checker."""

        accelerator: Any
        is_deepspeed_enabled: bool
        state: Any

        lr_scheduler: Any
        model_wrapped: Any
        control: Any
        processing_class: Any

        def __init__(self, **trainer: Any) -> None: ...
        def is_world_process_zero(self) -> bool: ...
        def save_model(self, output_dir: str) -> None: ...
        def _save(self, output_dir: str | None, state_dict: dict[str, Any] | None) -> None: ...
        def train(self, resume_from_checkpoint: str | None = None) -> Any: ...

else:
    from transformers import Trainer


class StudentTrainer(Trainer):
    """What differs from the Trainer: loss, order, and what is reported after each step.

    Losses are sums over tokens divided by the tokens of the whole effective batch, so how a batch
    is cut into micro batches and ranks does not change its gradient. `report` is called after each
    step, on rank 0 only. `pulse` is called on every rank whenever it gets on.

    It saves and resumes in a form of its own (saving.py); the Trainer's would be pickles.
    """

    # compute_loss below divides by the whole batch's tokens, accumulation included.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        objective: Objective,
        order: SeededOrder,
        report: Callable[[Metric], None],
        pulse: Callable[[int, str], None],
        spec: TrainingSpec,
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
        self.pulse = pulse
        self.spec = spec
        self.started = started
        self.tokens = 0
        self.loss_tokens = 0
        self.loss_sum = 0.0
        self.stopped = False
        self._schedule = Schedule(spec)
        self._fingerprint = spec.fingerprint()
        self._step_tokens = (0, 0)
        self._save_due, self._leave_due = False, False
        self._extra: dict[str, Tensor] = {}

    def _get_train_sampler(self, train_dataset: Any = None) -> SeededOrder:  # noqa: ARG002
        return self.order

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor]:
        """The micro batches of one optimizer step, and how many of their tokens carry loss.

        Rank 0's wish to save and to leave after this step travels with the counts.
        """
        step = self.state.global_step
        self.pulse(step, "reading a batch")
        batches = list(islice(epoch_iterator, num_batches))
        save, leave = False, False
        if self.is_world_process_zero():
            save, leave = self._schedule.wanted(step + 1)
        counted = torch.tensor(
            [
                sum(int((batch["labels"] != -100).sum()) for batch in batches),
                sum(int(batch["attention_mask"].sum()) for batch in batches),
                int(save),
                int(leave),
            ],
            device=device,
        )
        self.pulse(step, "agreeing on a batch")
        counted = self.accelerator.reduce(counted, reduction="sum")
        self._step_tokens = (int(counted[0]), int(counted[1]))
        self._save_due, self._leave_due = bool(counted[2]), bool(counted[3])
        return batches, counted[0]

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: ARG002
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """This micro batch's share of the loss, times the ranks: DeepSpeed averages over them."""
        self.pulse(self.state.global_step, "a micro batch")
        given = dict(inputs)
        labels, teacher = given.pop("labels"), given.pop("teacher", {})
        if "logits_to_keep" in given:
            if getattr(self.objective, "logits_only", False):
                labels = answers_only(given, labels)
            else:
                del given["logits_to_keep"]  # hidden states are not cut with the logits
        tokens = torch.as_tensor(num_items_in_batch, device=labels.device)
        scored = self.objective.loss(model, Batch(given, labels, tokens, teacher))
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
        self.loss_sum += logs["loss"]
        norm = logs.get("grad_norm")
        # A gradient that is not finite has just spoilt the weights: what stood before is kept.
        if (norm is None or math.isfinite(norm)) and step < self.state.max_steps:
            self.control.should_save = self._save_due
            self.stopped = self.control.should_training_stop = self._leave_due
        if self.is_world_process_zero():
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
        fault_point("training.step")
        self.pulse(step, "a step is done")

    def _save_checkpoint(self, model: Any, trial: Any) -> None:  # noqa: ARG002 - the Trainer's hook
        """Where the training stands after this step; on every rank."""
        began = time.monotonic()
        standing = Standing(
            fingerprint=self._fingerprint,
            libraries=libraries(),
            step=self.state.global_step,
            tokens=self.tokens,
            loss_tokens=self.loss_tokens,
            loss_sum=self.loss_sum,
            seconds=time.time() - self.started,
            scheduler=self.lr_scheduler.state_dict(),
        )
        self.pulse(standing.step, "saving")
        save_state(
            self.spec,
            standing,
            engine=self.model_wrapped,
            trainer_state=self.state,
            wait=self.accelerator.wait_for_everyone,
            rank=self.accelerator.process_index,
        )
        self._schedule.saved(time.monotonic() - began)
        self.pulse(standing.step, "saved")

    def resume(self, directory: Path, standing: Standing) -> Any:
        """`train`, from where `directory` stands."""
        self._standing = standing
        self.tokens, self.loss_tokens = standing.tokens, standing.loss_tokens
        self.loss_sum = standing.loss_sum
        self.started -= standing.seconds
        return self.train(resume_from_checkpoint=str(directory))

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None
    ) -> None:
        """Without what was added to the student for its training alone (objectives/token_kd.py)."""
        if state_dict is None:
            return  # under ZeRO-3 DeepSpeed gathers the weights on rank 0, which writes them
        kept = {k: v for k, v in state_dict.items() if BRIDGE not in k.split(".")}
        super()._save(output_dir, kept)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """The optimizer came with DeepSpeed's state; the schedule is ours to restore."""
        if checkpoint is not None:
            self.lr_scheduler.load_state_dict(self._standing.scheduler)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            restore_generators(Path(checkpoint), self.accelerator.process_index)
