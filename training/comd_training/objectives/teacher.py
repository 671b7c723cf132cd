"""The teacher in the same step: its logits and last hidden states where answers are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from comd_training.objectives.base import answer_positions


@dataclass(frozen=True, slots=True)
class Told:
    """At the N answer positions of a batch: logits (N, V), last hidden states (N, D)."""

    logits: Tensor
    states: Tensor


def ask(teacher: Any, given: Mapping[str, Tensor]) -> Told:
    """One forward pass without gradients over what the teacher's own collator made."""
    inputs = {name: value for name, value in given.items() if name != "labels"}
    where = answer_positions(given["labels"])
    with torch.no_grad():
        outputs = teacher(**inputs, use_cache=False, output_hidden_states=True)
        return Told(outputs.logits[:, :-1][where], outputs.hidden_states[-1][:, :-1][where])
