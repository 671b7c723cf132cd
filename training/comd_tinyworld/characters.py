"""Who lives in the world: 96 characters, each with a name, four facts and a sprite.

36 are common knowledge (an untuned student knows them); the other 60 are the tail, met in pictures
with a frequency that falls by rank (`frequencies`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from comd_tinyworld.seeds import generator

Fact = Literal["food", "home", "job", "pet"]
Third = Literal["common", "head", "middle", "tail"]

FACTS: dict[Fact, tuple[str, ...]] = {
    "food": ("pizza", "soup", "cake", "rice", "salad", "bread", "noodles", "cheese"),
    "home": ("castle", "forest", "cave", "island", "tower", "boat", "farm", "tent"),
    "job": ("baker", "pilot", "doctor", "singer", "painter", "sailor", "clown", "guard"),
    "pet": ("cat", "dog", "owl", "parrot", "turtle", "rabbit", "frog", "pony"),
}
_NAMES = """
    Abel Ada Agnes Alba Amos Anya Arlo Astrid Basil Beate Benno Bianca Boris Brida Bruno
    Calla Casper Cleo Cyril Dagmar Dario Delia Denzel Dina Ebba Edgar Elio Elsa Enzo Esme
    Etta Ezra Fabio Faye Felix Fiona Flora Fritz Gemma Gideon Greta Gunnar Hanna Hector
    Hilda Hugo Ida Igor Ines Iris Ivan Jana Jasper Jonas Judith Kai Karla Kiran Knut Lara
    Leif Lena Linus Lotte Luca Mabel Magnus Mira Moritz Nadia Nestor Nils Nora Odin Olaf
    Olga Oscar Otto Paula Pavel Petra Quinn Ralf Romy Rufus Sanna Silas Sonja Sven Tamar
    Theo Tilda Ulla Victor Wanda Zoe
"""
NAMES: tuple[str, ...] = tuple(_NAMES.split())
COMMON = 36
SPRITE = 8
"""Side of a sprite in pixels."""
ZIPF_EXPONENT = 1.2
COMMON_SHARE = 0.2
"""Share of the pictures that show a common character, in the seed set and in the natural test."""
_LEAST_DIFFERENCE = 9
"""Pixels of a half sprite (32 in all) in which any two characters differ at least."""


@dataclass(frozen=True)
class Character:
    """One inhabitant. `rank` counts from 0; below `COMMON` is common knowledge, then the tail."""

    rank: int
    name: str
    food: str
    home: str
    job: str
    pet: str

    @property
    def third(self) -> Third:
        """Where in the tail: its 20 most frequent, the 20 after them, the last 20; or common."""
        if self.rank < COMMON:
            return "common"
        thirds: tuple[Third, ...] = ("head", "middle", "tail")
        return thirds[(self.rank - COMMON) * 3 // (len(NAMES) - COMMON)]

    def fact(self, fact: Fact) -> str:
        """The value of one of the four facts."""
        return {"food": self.food, "home": self.home, "job": self.job, "pet": self.pet}[fact]


@cache
def characters() -> tuple[Character, ...]:
    """All 96, by rank. Names and facts are dealt at random: nothing can be inferred, only learned.

    Each value of a fact is dealt equally often, among the common ones and in the tail, so that
    guessing the most frequent value is right one time in eight.
    """
    names = generator("names").permutation(NAMES).tolist()
    dealt = {fact: _deal(fact, values) for fact, values in FACTS.items()}
    return tuple(
        Character(rank, name, *(dealt[fact][rank] for fact in FACTS))
        for rank, name in enumerate(names)
    )


def _deal(fact: Fact, values: tuple[str, ...]) -> list[str]:
    rng = generator(f"fact {fact}")
    dealt: list[str] = []
    for size in (COMMON, len(NAMES) - COMMON):
        deck = [values[i % len(values)] for i in range(size)]
        dealt += rng.permutation(deck).tolist()
    return dealt


@cache
def sprites() -> npt.NDArray[np.bool_]:
    """Shape (96, 8, 8): left-right symmetric figures, any two clearly different."""
    rng = generator("sprites")
    halves: list[npt.NDArray[np.bool_]] = []
    while len(halves) < len(NAMES):
        half = rng.random((SPRITE, SPRITE // 2)) < 0.5
        if all(np.count_nonzero(half != other) >= _LEAST_DIFFERENCE for other in halves):
            halves.append(half)
    left = np.stack(halves)
    return np.concatenate([left, left[:, :, ::-1]], axis=2)


@cache
def frequencies() -> npt.NDArray[np.float64]:
    """Shape (96,), sums to 1: how often each character is met in the pictures people collect.

    The common ones share `COMMON_SHARE` evenly; the tail follows Zipf's law in its own rank.
    """
    tail = np.arange(1, len(NAMES) - COMMON + 1, dtype=np.float64) ** -ZIPF_EXPONENT
    common = np.full(COMMON, COMMON_SHARE / COMMON)
    return np.concatenate([common, (1 - COMMON_SHARE) * tail / tail.sum()])
