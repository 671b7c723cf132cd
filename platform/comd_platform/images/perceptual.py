"""How a picture looks, in 64 bits: the same picture resized or saved again differs in a few of them.

The hash is ImageHash's `phash`: grey, 32 x 32 pixels, the 64 lowest frequencies of its cosine
transform, each above or below their median. A copy of other size, format or quality differs in 0 to 2
bits, a brighter one in up to 6, unrelated pictures in about 32 (docs/decontamination.md measures it).
Mirrored, rotated or clearly cropped copies look different to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MIN_SIDE = 32
"""Pixels. What is smaller would be enlarged first: its hash would tell of interpolation."""

_LEAST_BITS = 24  # of 64; a picture with detail has 32, a plain or a striped one far fewer
_CELLS = 50_000_000  # pairs compared at once

Hashes = NDArray[np.int64]


def perceptual_hash(image: Image.Image) -> int | None:
    """The hash as a signed 64-bit number, as PostgreSQL keeps it; None for a picture without one.

    Without one are pictures under MIN_SIDE, and those in a mode that Pillow cannot turn to grey.
    """
    if min(image.size) < MIN_SIDE:
        return None
    import imagehash  # with SciPy behind it: not for those who only list pictures

    try:
        bits = imagehash.phash(_opaque(image)).hash
    except ValueError:  # Pillow: "conversion from LAB to L not supported"
        return None
    return int.from_bytes(np.packbits(bits).tobytes(), "big", signed=True)


def near_hashes(left: Hashes, right: Hashes, distance: int) -> list[tuple[int, int, int]]:
    """(position in left, position in right, bits that differ) of all pairs at most `distance` apart.

    Hashes of pictures without detail are near to each other and say nothing; they match none.
    """
    telling = np.flatnonzero(np.bitwise_count(right.view(np.uint64)) >= _LEAST_BITS)
    found: list[tuple[int, int, int]] = []
    block = max(1, _CELLS // max(1, len(telling)))
    for start in range(0, len(left), block):
        differing = left[start : start + block, None] ^ right[telling][None, :]
        apart = np.bitwise_count(differing.view(np.uint64))
        for row, column in zip(*np.nonzero(apart <= distance), strict=True):
            place = start + int(row)
            if np.bitwise_count(left[place].view(np.uint64)) >= _LEAST_BITS:
                found.append((place, int(telling[column]), int(apart[row, column])))
    return found


def _opaque(image: Image.Image) -> Image.Image:
    """On white, where the picture has transparent parts: that is how a JPEG of it would look."""
    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
