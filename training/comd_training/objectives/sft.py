"""The paper's objective: next-token cross-entropy on the teacher's answers (eq. 3)."""

from __future__ import annotations

from torch import nn

from comd_platform.config.objectives import SftConfig
from comd_training.objectives.base import Batch, ObjectiveLoss, Pair, answer_cross_entropy


class SupervisedFineTuning:
    """Cross-entropy over answer and stop tokens; every token weighs the same."""

    logits_only = True

    def __init__(self, config: SftConfig, pair: Pair) -> None:
        del config, pair  # it has no options, and needs nobody

    def loss(self, model: nn.Module, batch: Batch) -> ObjectiveLoss:
        outputs = model(**batch.inputs, use_cache=False)
        return ObjectiveLoss(answer_cross_entropy(outputs.logits, batch))
