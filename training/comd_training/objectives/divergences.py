"""How far two next-token distributions are apart. Pure functions of log-probabilities.

`log_p` is the teacher's, `log_q` the student's, both (N, V), each row summing to 1 after `exp`; all
return (N,), in nats, >= 0, and 0 exactly where the two are equal. A teacher may rule a token out
(-inf); then the reverse KL is infinite wherever the student does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def forward_kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q), Hinton et al. 2015: the student covers everything that the teacher finds likely."""
    terms = log_p.exp() * (log_p - log_q)
    # 0 log 0 is 0.
    return torch.where(log_p > -math.inf, terms, 0.0).sum(dim=-1)


def reverse_kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(q || p), as in MiniLLM: the student keeps to what the teacher finds likely."""
    return forward_kl(log_q, log_p)


def symmetric_kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The mean of both: half of Jeffreys' divergence."""
    return (forward_kl(log_p, log_q) + reverse_kl(log_p, log_q)) / 2


def js(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Jensen-Shannon, (KL(p || m) + KL(q || m)) / 2 with m the mean of p and q: at most ln 2."""
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return (forward_kl(log_p, log_m) + forward_kl(log_q, log_m)) / 2


DIVERGENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "forward_kl": forward_kl,
    "reverse_kl": reverse_kl,
    "symmetric_kl": symmetric_kl,
    "js": js,
}


def tempered(log_p: Tensor, temperature: float) -> Tensor:
    """Log-probabilities (or logits) (N, V) at a temperature > 0: log softmax(x / T)."""
    return (log_p / temperature).log_softmax(dim=-1)


def coarse(log_q: Tensor, ids: Tensor) -> Tensor:
    """(N, V) log-probabilities as (N, k + 1): those of `ids` (N, k), all different, and of the rest.

    "Something else" is one outcome, so nothing is assumed of how it divides. What two distributions
    differ by can only shrink (data-processing inequality); with k = V it stays, and there is no rest.
    """
    kept = log_q.gather(-1, ids)
    if ids.shape[-1] == log_q.shape[-1]:
        return kept
    others = torch.ones_like(log_q, dtype=torch.bool).scatter(-1, ids, False)
    rest = log_q.masked_fill(~others, -math.inf).logsumexp(dim=-1, keepdim=True)
    return torch.cat([kept, rest], dim=-1)
