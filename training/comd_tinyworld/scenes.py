"""Scenes and their pictures: one character, one colour, one corner, day or night.

A scene is its number. Each split owns a range of numbers *and*, for every character, a share of the
40 ways to dress a scene (colour, place, time): the held-out splits show combinations that no split
for training ever shows, and no two held-out splits share one. So held-out scenes are disjoint from
all others by construction, in what they show as well as in their pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from comd_tinyworld.characters import NAMES, SPRITE, Character, characters, sprites
from comd_tinyworld.seeds import generator

Split = Literal[
    "tower-train",
    "teacher-train",
    "student-train",
    "seed",
    "dev",
    "test-demo",
    "test-evidence",
]
SPLITS: tuple[Split, ...] = (
    "tower-train",
    "teacher-train",
    "student-train",
    "seed",
    "dev",
    "test-demo",
    "test-evidence",
)
HELD_OUT: tuple[Split, ...] = ("dev", "test-demo", "test-evidence")
SPLIT_SIZE = 1_000_000
"""Scene numbers a split owns."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 45, 45),
    "green": (35, 150, 60),
    "blue": (60, 95, 235),
    "orange": (245, 150, 30),
    "pink": (240, 110, 200),
}
PLACES = ("top left", "top right", "bottom left", "bottom right")
TIMES: dict[str, tuple[int, int, int]] = {"day": (205, 228, 245), "night": (18, 20, 52)}

SIDE = 24
"""Side of a picture in pixels; it is cut into 2 x 2 cells."""
CELL = SIDE // 2
JITTER = 1
NOISE = 10.0
"""Standard deviation of the sensor noise, in units of 0-255."""

_DRESSES = tuple(product(COLOURS, PLACES, TIMES))
_HELD_OUT_DRESSES = 5
"""Dresses (of 40) that each held-out split has to itself, for every character."""


@dataclass(frozen=True)
class Scene:
    """What a picture shows. `number` seeds the jitter and the noise of the drawing."""

    number: int
    character: Character
    colour: str
    place: str
    time: str

    @property
    def split(self) -> Split:
        """The split that owns this scene's number."""
        return SPLITS[self.number // SPLIT_SIZE]


def scene(split: Split, index: int, character: Character | None = None) -> Scene:
    """Scene `index` of a split; the same one on every call.

    Without a character, one of the 96 is drawn evenly; how often each is met is the caller's matter.
    Raises ValueError when the index is outside `range(SPLIT_SIZE)`.
    """
    if not 0 <= index < SPLIT_SIZE:
        raise ValueError(f"scene index {index} is outside 0..{SPLIT_SIZE - 1}")
    number = SPLITS.index(split) * SPLIT_SIZE + index
    rng = generator("scene", number)
    drawn = characters()[int(rng.integers(len(NAMES)))]
    character = character or drawn
    dresses = _dresses(split, character.rank)
    colour, place, time = _DRESSES[dresses[int(rng.integers(len(dresses)))]]
    return Scene(number, character, colour, place, time)


@cache
def _dresses(split: Split, rank: int) -> tuple[int, ...]:
    """The dresses (indices into `_DRESSES`) in which a split shows a character."""
    order = generator("dresses", rank).permutation(len(_DRESSES)).tolist()
    if split in HELD_OUT:
        start = HELD_OUT.index(split) * _HELD_OUT_DRESSES
        return tuple(order[start : start + _HELD_OUT_DRESSES])
    return tuple(order[len(HELD_OUT) * _HELD_OUT_DRESSES :])


def pixels(scene: Scene) -> npt.NDArray[np.uint8]:
    """The picture, shape (24, 24, 3), RGB."""
    rng = generator("pixels", scene.number)
    row, column = divmod(PLACES.index(scene.place), 2)
    margin = (CELL - SPRITE) // 2
    top = row * CELL + margin + int(rng.integers(-JITTER, JITTER + 1))
    left = column * CELL + margin + int(rng.integers(-JITTER, JITTER + 1))
    canvas = np.empty((SIDE, SIDE, 3))
    canvas[:] = TIMES[scene.time]
    figure = canvas[top : top + SPRITE, left : left + SPRITE]
    figure[sprites()[scene.character.rank]] = COLOURS[scene.colour]
    noisy = canvas + rng.normal(0.0, NOISE, canvas.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def picture(scene: Scene) -> Image.Image:
    """The picture as a PIL image, 24 x 24, RGB."""
    return Image.fromarray(pixels(scene), "RGB")
