"""Decoding in which a row's text depends on its own seed and never on its neighbours.

Both classes plug into transformers' `generate` (logits processor, stopping criterion), so that
every architecture, cache and attention that it knows goes on working.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from comd_workers.engines.base import Sampling


class RowSampler:
    """Sampling by inverse CDF: row b at step t takes the first token whose cumulative probability,
    in vocabulary order, exceeds u[b, t], where u[b] is drawn from a generator of the row's own.

    Drawn on the CPU and compared in float64, so the same logits give the same token on any device.
    Another batch composition changes logits in the last bits only; it changes a token only when u
    falls between the two cumulative sums, once in about a million draws in float32. bfloat16 logits
    differ more (batched matrix products round differently), so there a rerun is equal in most rows,
    not in all.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        sampling: Sampling,
        prompt_length: int,
        device: torch.device,
    ) -> None:
        draws = [
            np.random.Generator(np.random.PCG64(seed)).random(sampling.max_new_tokens)
            for seed in seeds
        ]
        self._draws = torch.from_numpy(np.stack(draws)).to(device)  # (B, max_new_tokens)
        self._temperature = sampling.temperature
        self._top_p = sampling.top_p
        self._prompt_length = prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """input_ids (B, T), scores (B, V) -> (B, V): 0 at the token drawn, -inf elsewhere."""
        step = input_ids.shape[1] - self._prompt_length
        probabilities = torch.softmax(scores.double() / self._temperature, dim=-1)
        if self._top_p < 1:
            probabilities = nucleus(probabilities, self._top_p)
        tokens = inverse_cdf(probabilities, self._draws[:, step])
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens[:, None], 0.0)


def inverse_cdf(probabilities: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """probabilities (B, V), need not sum to 1; draws (B,) in [0, 1) -> token ids (B,)."""
    cumulative = probabilities.cumsum(dim=-1)
    total = cumulative[:, -1:]
    # Rounding must not push the draw onto the total: no token lies beyond it.
    point = torch.minimum(draws[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, point, right=True)[:, 0]


def nucleus(probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """(B, V) with zeros outside the fewest most likely tokens that together reach `top_p`."""
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    kept = torch.where(before < top_p, ordered, torch.zeros_like(ordered))
    return torch.zeros_like(probabilities).scatter_(1, order, kept)


class RowLimits:
    """Ends a row at its own limit of new tokens or when its text holds a stop string.

    ended (B,): how many new tokens each row had when this criterion ended it; its limit if it did
    not. What `generate` writes into the row after that is padding.
    """

    def __init__(
        self,
        limits: Sequence[int],
        stop: Sequence[str],
        prompt_length: int,
        decode: Callable[[Sequence[Sequence[int]]], list[str]],
        device: torch.device,
    ) -> None:
        self._limits = torch.tensor(limits, device=device)
        self.ended = self._limits.clone()
        self._stop = tuple(stop)
        # A token may decode to nothing (half a character), so look back further than letters need.
        self._window = 2 * max(map(len, stop), default=0) + 8
        self._prompt_length = prompt_length
        self._decode = decode

    def __call__(self, input_ids: torch.Tensor, _scores: object) -> torch.Tensor:
        """input_ids (B, T) -> (B,) true where the row is done."""
        new = input_ids.shape[1] - self._prompt_length
        if self._stop:
            tail = input_ids[:, -min(new, self._window) :]
            texts = self._decode(tail.tolist())
            found = [any(stop in text for stop in self._stop) for text in texts]
            stopped = torch.tensor(found, device=self.ended.device)
            self.ended = torch.where(stopped, self.ended.clamp(max=new), self.ended)
        return self.ended <= new
