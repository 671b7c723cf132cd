"""Knowledge distillation on logits (Hinton et al. 2015; LLAVADI's logit alignment)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from comd_platform.config.objectives import LogitKdConfig
from comd_training.objectives.base import (
    Batch,
    ObjectiveLoss,
    Pair,
    answer_cross_entropy,
    at_least_fp32,
)
from comd_training.objectives.divergences import DIVERGENCES, coarse, tempered
from comd_training.objectives.teacher import ask


class LogitDistillation:
    """cross_entropy_weight * CE + logit_weight * T^2 * D(teacher at T, student at T), over the answers.

    The gradient of a divergence at temperature T is of the order of 1 / T^2; the factor keeps the two
    terms' proportion whatever T is. Stored logits: the teacher's top k tokens and "something else" are
    the outcomes, for both, before anything is tempered.
    """

    logits_only = True

    def __init__(self, config: LogitKdConfig, pair: Pair) -> None:
        self._config = config
        self._teacher = pair.teacher
        self._tokens = pair.tokens

    def loss(self, model: nn.Module, batch: Batch) -> ObjectiveLoss:
        logits = model(**batch.inputs, use_cache=False).logits
        cross_entropy = answer_cross_entropy(logits, batch)
        log_q = student_log_probabilities(logits, batch, self._tokens)
        if self._config.teacher == "stored":
            log_p, log_q = stored_outcomes(batch.teacher, log_q)
        else:
            told = ask(self._teacher, batch.teacher)
            log_p = at_least_fp32(told.logits[:, : self._tokens]).log_softmax(dim=-1)
        term = logit_term(log_p, log_q, self._config.divergence, self._config.temperature)
        divergence = term.sum() / batch.loss_tokens
        return ObjectiveLoss(
            self._config.cross_entropy_weight * cross_entropy
            + self._config.logit_weight * divergence,
            {"cross_entropy": cross_entropy.detach(), "logit_kd": divergence.detach()},
        )


def student_log_probabilities(logits: Tensor, batch: Batch, tokens: int) -> Tensor:
    """(B, T, V) -> (N, tokens): at the answers, the head's padding rows left out."""
    return at_least_fp32(logits[:, :-1][batch.answers][:, :tokens]).log_softmax(dim=-1)


def logit_term(log_p: Tensor, log_q: Tensor, divergence: str, temperature: float) -> Tensor:
    """(N, K), (N, K) log-probabilities -> (N,): T^2 * D(p at T, q at T)."""
    if temperature != 1:
        log_p, log_q = tempered(log_p, temperature), tempered(log_q, temperature)
    return temperature**2 * DIVERGENCES[divergence](log_p, log_q)


def stored_outcomes(stored: dict[str, Tensor] | object, log_q: Tensor) -> tuple[Tensor, Tensor]:
    """Teacher and student over the stored outcomes, (N, k + 1) each; (N, V) where k = V.

    Probabilities were rounded to float16 when they were stored; they are made to sum to 1 again.
    """
    assert isinstance(stored, dict)
    ids = stored["ids"].long()
    # The trainer casts floats to the model's precision, so float16 travels as the integers it is.
    log_p = stored["logprobs"].view(torch.float16).to(log_q.dtype)
    ours = coarse(log_q, ids)
    return log_p[:, : ours.shape[-1]].log_softmax(dim=-1), ours
