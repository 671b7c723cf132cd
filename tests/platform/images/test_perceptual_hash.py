"""A copy looks like its original, another picture does not, and a plain one says nothing."""

from __future__ import annotations

import io
import itertools
import random
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from comd_platform.images.perceptual import MIN_SIDE, near_hashes, perceptual_hash


def drawing(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Forty shapes at random: as much to see as in a photograph."""
    chance = random.Random(seed)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        colour = tuple(chance.randrange(256) for _ in range(3))
        draw.ellipse((x - 40, y - 30, x + 40, y + 30), fill=colour)
    return image


def saved(image: Image.Image, form: str, **options: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return Image.open(buffer)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg, quality 30": lambda image: saved(image, "JPEG", quality=30),
    "webp": lambda image: saved(image, "WEBP", quality=60),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "double the size": lambda image: image.resize((image.width * 2, image.height * 2)),
    "squeezed to 336 x 336": lambda image: image.resize((336, 336)),
    "a quarter, jpeg 50": lambda image: saved(
        image.resize((image.width // 4, image.height // 4)), "JPEG", quality=50
    ),
    "grey": lambda image: image.convert("L"),
    "brighter by a fifth": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
}


def hashes(images: list[Image.Image]) -> np.ndarray:
    found = [perceptual_hash(image) for image in images]
    assert None not in found
    return np.array(found, dtype=np.int64)


def pairs(left: np.ndarray, right: np.ndarray, distance: int) -> set[tuple[int, int]]:
    return {(a, b) for a, b, _ in near_hashes(left, right, distance)}


def test_the_number_is_imagehashs_own() -> None:
    image = drawing(1)
    found = perceptual_hash(image)
    assert found is not None
    assert f"{found % 2**64:016x}" == str(imagehash.phash(image))


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_near_its_original_and_no_other(copy: str) -> None:
    originals = [drawing(seed) for seed in range(12)]
    found = pairs(hashes(originals), hashes([COPIES[copy](image) for image in originals]), 6)
    assert found == {(n, n) for n in range(12)}


def test_photographs_are_found_again_and_not_taken_for_each_other(shared_data: Path) -> None:
    files = sorted((shared_data / "coco_mini" / "train2017").glob("*.jpg"))
    originals = [Image.open(file).convert("RGB") for file in files]
    assert len(originals) > 50
    known = hashes(originals)
    false = [(a, b) for a, b in pairs(known, known, 6) if a < b]
    assert false == [], f"of {len(list(itertools.combinations(files, 2)))} pairs"
    for name, copy in COPIES.items():
        found = pairs(known, hashes([copy(image) for image in originals]), 6)
        assert found == {(n, n) for n in range(len(files))}, name


def test_pictures_without_detail_match_nothing() -> None:
    plain = [Image.new("RGB", (200, 100), colour) for colour in ("red", "white", "black")]
    striped = Image.linear_gradient("L").resize((200, 100))
    known = hashes([*plain, striped])
    assert pairs(known, known, 16) == set()
    assert pairs(known, hashes([drawing(1)]), 16) == set()


def test_distances_are_counted_in_bits() -> None:
    one = np.array([0x00FF00FF00FF00FF], dtype=np.int64)
    other = one ^ np.int64(0b111)
    assert near_hashes(one, other, 3) == [(0, 0, 3)]
    assert near_hashes(one, other, 2) == []
    assert near_hashes(one[:0], other, 3) == near_hashes(one, other[:0], 3) == []


def test_small_pictures_and_odd_modes_have_no_hash() -> None:
    assert perceptual_hash(drawing(1, (MIN_SIDE - 1, 300))) is None
    assert perceptual_hash(drawing(1, (MIN_SIDE, 300))) is not None
    assert perceptual_hash(Image.new("LAB", (64, 64))) is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_mode_that_pillow_turns_to_grey_has_one(mode: str) -> None:
    grey = drawing(1).convert("L")
    image = grey.convert("I").convert(mode) if mode in {"I;16", "F"} else drawing(1).convert(mode)
    assert perceptual_hash(image) is not None


def test_transparent_parts_count_as_white() -> None:
    image = drawing(2)
    holes = image.copy().convert("RGBA")
    white = image.copy()
    box = (40, 40, 160, 160)
    holes.paste((0, 0, 0, 0), box)
    white.paste((255, 255, 255), box)
    assert perceptual_hash(holes) == perceptual_hash(white)
