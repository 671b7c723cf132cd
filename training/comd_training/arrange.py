"""How a step's dialogues are laid out over micro batches and ranks, by their lengths.

Micro batches are cut from the sequence in order and dealt to the ranks in turn, so that consecutive
ones run at the same time and wait for each other. What a step holds never changes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

Arrange = Callable[[list[int]], list[int]]


def by_length(lengths: NDArray[Any]) -> Arrange:
    """The longest first: neighbours in a micro batch, and micro batches at a time, are alike.

    lengths: tokens of each dialogue; places without loss (negative) come last.
    """

    def arrange(step: list[int]) -> list[int]:
        return sorted(step, key=lambda index: _weight(lengths, index), reverse=True)

    return arrange


def balanced(lengths: NDArray[Any], micro: int) -> Arrange:
    """Micro batches of `micro` dialogues with about equally many tokens each, for packed rows.

    The longest dialogue left goes where fewest tokens are (and room is); then the fullest micro
    batches come first.
    """

    def arrange(step: list[int]) -> list[int]:
        bins: list[list[int]] = [[] for _ in range(len(step) // micro)]
        filled = [0] * len(bins)
        for index in sorted(step, key=lambda index: _weight(lengths, index), reverse=True):
            room = (at for at, held in enumerate(bins) if len(held) < micro)
            at = min(room, key=lambda at: filled[at])
            bins[at].append(index)
            filled[at] += _weight(lengths, index)
        order = sorted(range(len(bins)), key=lambda at: filled[at], reverse=True)
        return [index for at in order for index in bins[at]]

    return arrange


def _weight(lengths: NDArray[Any], index: int) -> int:
    return int(lengths[index]) if index >= 0 else 0
