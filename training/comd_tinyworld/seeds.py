"""One random generator per purpose, so that changing one thing leaves the others as they were."""

from __future__ import annotations

from zlib import crc32

import numpy as np

WORLD_SEED = 231_108_213
"""Fixes sprites, facts and scenes: another value is another world, and the weights would not fit."""


def generator(purpose: str, *numbers: int) -> np.random.Generator:
    """A generator that depends on the world, a purpose in words, and non-negative integers."""
    return np.random.default_rng([WORLD_SEED, crc32(purpose.encode()), *numbers])
