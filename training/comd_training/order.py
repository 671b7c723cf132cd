"""In which order the student sees the dialogues: seeded, the same for every number of ranks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import cycle, islice

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
    loss, so that every rank has equally much to do and no dialogue is learned twice. So are the
    `idle` places after each batch, where ranks cannot share it out evenly. `arrange` may change the
    order within a step (arrange.py), never what the step holds.
    """

    def __init__(
        self,
        dialogues: int,
        batch_size: int,
        epochs: int,
        max_steps: int | None,
        seed: int,
        *,
        idle: int = 0,
        arrange: Callable[[list[int]], list[int]] = list,
    ) -> None:
        if dialogues < 1:
            raise ValueError("there is nothing to learn from: no dialogues")
        self.dialogues = dialogues
        self.batch_size = batch_size
        self.idle = idle
        self.arrange = arrange
        self.steps = planned_steps(dialogues, batch_size, epochs, max_steps)
        # What carries loss: all of it when steps are asked for, whole passes otherwise.
        self.learned = self.steps * batch_size if max_steps is not None else dialogues * epochs
        self.seed = seed

    def __len__(self) -> int:
        return self.steps * (self.batch_size + self.idle)

    def __iter__(self) -> Iterator[int]:
        drawn = enumerate(self._passes())
        for _ in range(self.steps):
            batch = [
                index if position < self.learned else ~index
                for position, index in islice(drawn, self.batch_size)
            ]
            # Any dialogue will do for idle places, since nothing is learned from it: one of the batch.
            batch += [~i if i >= 0 else i for i in islice(cycle(batch), self.idle)]
            yield from self.arrange(batch)

    def _passes(self) -> Iterator[int]:
        number = 0
        while True:
            generator = np.random.default_rng([self.seed, number])
            yield from generator.permutation(self.dialogues).tolist()
            number += 1
