"""In which order the student sees the dialogues: seeded, the same for every number of ranks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np


def planned_steps(dialogues: int, batch_size: int, epochs: int, max_steps: int | None) -> int:
    """Optimizer steps: `max_steps`, or what `epochs` passes take (the last may be partial)."""
    if max_steps is not None:
        return max_steps
    return math.ceil(dialogues * epochs / batch_size)


class SeededOrder:
    """A sampler: indices for all steps, one permutation per pass, from (seed, pass) alone.

    Passes follow each other without a gap, so every dialogue is seen exactly once a pass and only
    the very last batch can lack dialogues. It is filled with `~i` (negative): dialogue i without
    loss, so that every rank has equally much to do and no dialogue is learned twice.
    """

    def __init__(
        self, dialogues: int, batch_size: int, epochs: int, max_steps: int | None, seed: int
    ) -> None:
        if dialogues < 1:
            raise ValueError("there is nothing to learn from: no dialogues")
        self.dialogues = dialogues
        self.length = planned_steps(dialogues, batch_size, epochs, max_steps) * batch_size
        # What carries loss: all of it when steps are asked for, whole passes otherwise.
        self.learned = self.length if max_steps is not None else dialogues * epochs
        self.seed = seed

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        for position, index in zip(range(self.length), self._passes(), strict=False):
            yield index if position < self.learned else ~index

    def _passes(self) -> Iterator[int]:
        number = 0
        while True:
            generator = np.random.default_rng([self.seed, number])
            yield from generator.permutation(self.dialogues).tolist()
            number += 1
