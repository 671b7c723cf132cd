"""Pictures as a browser shows them: smaller, upright, made once and kept by content."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Literal, get_args

from PIL import Image

from comd_platform.images.names import ImageError
from comd_platform.images.reading import load_upright
from comd_platform.images.verify import EXTENSIONS, inspect_picture, read_bytes

Size = Literal["small", "large"]
SIZES: tuple[Size, ...] = get_args(Size)

_LONG_SIDE = {"small": 320, "large": 2048}
_QUALITY = {"small": 80, "large": 90}
_TINY = 96
"""Pixels a side up to which a picture is kept without loss: its pixels are what one looks at."""

# A decoded picture may take 350 MB (verify.MAX_PIXELS): two at a time, however many are asked for.
_DECODING = threading.Semaphore(2)


class Thumbnails:
    """WebP files under `cache`, of the pictures under `images`; several processes may share both.

    The cache may be deleted at any time. Nothing is kept of a picture that cannot be read.
    """

    def __init__(self, images: Path, cache: Path) -> None:
        self._images = images
        self._cache = cache

    def get(self, sha256: str, size: Size) -> Path:
        """The file of the picture with this content, made where it is not there yet.

        `small` has at most 320 pixels on its longer side, `large` 2048; neither is ever enlarged.
        Raises ImageError: no such picture, or none that can be read within the store's limits.
        """
        made = self._cache / size / sha256[:2] / f"{sha256}.webp"
        if not made.exists():
            self._make(self._original(sha256), made, size)
        return made

    def has(self, sha256: str) -> bool:
        """Whether the picture is there to be shown."""
        try:
            self._original(sha256)
        except ImageError:
            return False
        return True

    def _original(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ImageError(f"{sha256[:64]!r} names no picture")
        for extension in sorted(set(EXTENSIONS.values())):
            path = self._images / sha256[:2] / f"{sha256}.{extension}"
            if path.is_file():
                return path
        raise ImageError(
            f"the picture {sha256} is not in the image root {self._images}",
            hint="COMD_IMAGES names the image root; it has to be the same on every node.",
        )

    def _make(self, original: Path, made: Path, size: Size) -> None:
        with _DECODING:
            data, _ = read_bytes(original)
            inspect_picture(data, original)  # its size, before a pixel is decoded
            try:
                picture = load_upright(original)
            except Exception as error:  # Pillow raises almost anything on damaged bytes
                raise ImageError(f"{original} is damaged: {error}") from error
            side = _LONG_SIDE[size]
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        made.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=made.parent) as room:
            temporary = Path(room) / made.name
            tiny = max(picture.size) <= _TINY
            picture.save(temporary, "WEBP", quality=_QUALITY[size], lossless=tiny, method=4)
            temporary.replace(made)
