"""How sure a score is, and whether two models differ: resampling over items. Pure, seeded.

A model's result on an item is a score and, where a judge compared it with a reference, the reference's
score (else 1). A benchmark's score is the ratio of the means, which without a reference is the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Results = Sequence[tuple[float, float]]
"""(score, reference) of each item."""

_RESAMPLES: Final = 2_000
_Array = npt.NDArray[np.float64]
_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A score and its 95 % percentile interval by bootstrap over items."""

    score: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same items: first minus second.

    wins, losses: items on which the first scores higher, and lower. p: two-sided; McNemar's exact test
    where scores are 0 or 1, else a permutation test that swaps the two models on each item.
    """

    items: int
    difference: float
    low: float
    high: float
    wins: int
    losses: int
    p: float
    test: Literal["McNemar", "permutation"]


def bootstrap(results: Results, seed: int = 0, resamples: int = _RESAMPLES) -> Interval:
    """The score of one model with its interval. Raises ValueError for no items."""
    values = _array(results)
    kinds, times = _resampled(values, seed, resamples)
    low, high = np.quantile(_ratio(times @ kinds), [0.025, 0.975])
    return Interval(float(_ratio(values.sum(axis=0))), float(low), float(high))


def compare(
    first: Results, second: Results, seed: int = 0, resamples: int = _RESAMPLES
) -> Comparison:
    """Two models on the same items in the same order. Raises ValueError for none, or unequally many."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} items cannot be paired")
    a, b = _array(first), _array(second)
    difference = float(_ratio(a.sum(axis=0)) - _ratio(b.sum(axis=0)))
    kinds, times = _resampled(np.hstack([a, b]), seed, resamples)
    totals = times @ kinds
    low, high = np.quantile(_ratio(totals[:, :2]) - _ratio(totals[:, 2:]), [0.025, 0.975])
    wins, losses = int((a[:, 0] > b[:, 0]).sum()), int((a[:, 0] < b[:, 0]).sum())
    binary = bool(np.isin(np.stack([a, b]), [0.0, 1.0]).all())
    p = mcnemar(wins, losses) if binary else _permutation(a, b, seed, resamples)
    return Comparison(
        items=len(a),
        difference=difference,
        low=float(low),
        high=float(high),
        wins=wins,
        losses=losses,
        p=p,
        test="McNemar" if binary else "permutation",
    )


def wilson(count: int, total: int) -> Interval:
    """A share and its 95 % interval by Wilson's score, within [0, 1] at both ends.

    Raises ValueError for no total.

    >>> round(wilson(0, 20).high, 3)  # the rule of three says 0.15
    0.161
    """
    if total <= 0:
        raise ValueError("there is no share of nothing")
    z = 1.959963984540054
    share = count / total
    spread = 1 + z * z / total
    middle = (share + z * z / (2 * total)) / spread
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / spread
    low = 0.0 if count == 0 else max(0.0, middle - half)
    high = 1.0 if count == total else min(1.0, middle + half)
    return Interval(share, low, high)


def mcnemar(wins: int, losses: int) -> float:
    """The exact two-sided p-value of McNemar's test: a fair coin on the items that differ.

    >>> round(mcnemar(9, 1), 4)
    0.0215
    """
    count = wins + losses
    tail = sum(math.comb(count, k) for k in range(min(wins, losses) + 1))
    return min(1.0, float(2 * tail / 2**count)) if count else 1.0


def _permutation(a: _Array, b: _Array, seed: int, resamples: int) -> float:
    """The share of random swaps with a difference as large, the observed one counted in."""
    observed = abs(float(_ratio(a.sum(axis=0)) - _ratio(b.sum(axis=0))))
    generator = np.random.default_rng([seed, 1])
    extreme = 0
    for _ in range(resamples):
        swap = (generator.random(len(a)) < 0.5)[:, None]
        first, second = np.where(swap, b, a), np.where(swap, a, b)
        swapped = abs(float(_ratio(first.sum(axis=0)) - _ratio(second.sum(axis=0))))
        extreme += swapped >= observed - 1e-12
    return (extreme + 1) / (resamples + 1)


def _resampled(values: _Array, seed: int, resamples: int) -> tuple[_Array, _Counts]:
    """The different rows of `values` (K, C), and how often each resample holds each of them (R, K).

    Which items a resample draws does not matter, only how many of each kind: a multinomial draw.
    Thousands of items that are right or wrong are two kinds.
    """
    kinds, counts = np.unique(values, axis=0, return_counts=True)
    generator = np.random.default_rng([seed, 0])
    return kinds, generator.multinomial(len(values), counts / len(values), size=resamples)


def _ratio(totals: _Array) -> _Array:
    """Total score over total reference, along the last axis."""
    ratio: _Array = totals[..., 0] / totals[..., 1]
    return ratio


def _array(results: Results) -> _Array:
    if not results:
        raise ValueError("there are no items to resample")
    return np.asarray(results, dtype=np.float64)
