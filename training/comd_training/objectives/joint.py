"""Cross-entropy, logits and hidden states together: what LLAVADI finds best."""

from __future__ import annotations

from torch import nn

from comd_platform.config.objectives import JointConfig
from comd_training.objectives.base import (
    Batch,
    ObjectiveLoss,
    Pair,
    answer_cross_entropy,
    at_least_fp32,
)
from comd_training.objectives.logit_kd import logit_term, student_log_probabilities
from comd_training.objectives.teacher import ask
from comd_training.objectives.token_kd import DISTANCES, build_bridge, cross


class JointDistillation:
    """cross_entropy_weight * CE + logit_weight * logit term + token_weight * token term, each as in
    the objective of its own; student and teacher run once."""

    def __init__(self, config: JointConfig, pair: Pair) -> None:
        self._config = config
        self._teacher = pair.teacher
        self._tokens = pair.tokens
        build_bridge(config, pair)

    def loss(self, model: nn.Module, batch: Batch) -> ObjectiveLoss:
        asked = self._config
        outputs = model(**batch.inputs, use_cache=False, output_hidden_states=True)
        told = ask(self._teacher, batch.teacher)
        log_q = student_log_probabilities(outputs.logits, batch, self._tokens)
        log_p = at_least_fp32(told.logits[:, : self._tokens]).log_softmax(dim=-1)
        bridged = cross(model, outputs.hidden_states[-1], batch)

        cross_entropy = answer_cross_entropy(outputs.logits, batch)
        divergence = logit_term(log_p, log_q, asked.divergence, asked.temperature).sum()
        divergence = divergence / batch.loss_tokens
        distance = DISTANCES[asked.distance](bridged, told.states).sum() / batch.loss_tokens
        return ObjectiveLoss(
            asked.cross_entropy_weight * cross_entropy
            + asked.logit_weight * divergence
            + asked.token_weight * distance,
            {
                "cross_entropy": cross_entropy.detach(),
                "logit_kd": divergence.detach(),
                "token_kd": distance.detach(),
            },
        )
