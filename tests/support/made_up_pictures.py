"""Pictures for the rows of `synthetic_run.sql`, which name some without there being any."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PIL import Image, ImageDraw


def make_pictures(root: Path, first: int, last: int) -> None:
    """A scene of its own for each of the images `first` to `last`, under their contents' names."""
    for number in range(first, last + 1):
        name = hashlib.sha256(f"picture {number}".encode()).hexdigest()
        file = root / name[:2] / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        _scene(number).save(file)


def _scene(number: int) -> Image.Image:
    """640 x 480: ground, sky, and as many houses as the number says."""
    sky = ((40 * number) % 120 + 90, 160, 220)
    picture = Image.new("RGB", (640, 480), sky)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 330, 640, 480), fill=(90, (30 * number) % 80 + 120, 80))
    draw.ellipse((500, 40, 580, 120), fill=(250, 220, 120))
    for house in range(number % 4 + 1):
        left = 40 + 150 * house
        wall = ((70 * house + 50 * number) % 200 + 40, 80, (90 * house) % 160 + 60)
        draw.rectangle((left, 240, left + 100, 360), fill=wall)
        draw.polygon(((left - 12, 240), (left + 50, 175), (left + 112, 240)), fill=(120, 60, 50))
        draw.rectangle((left + 38, 300, left + 62, 360), fill=(60, 40, 30))
    return picture
