"""Is it a picture, and how large? Every picture is decoded in full once, before it is believed."""

from __future__ import annotations

import hashlib
import io
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from comd_platform.images.names import ImageError
from comd_platform.images.perceptual import perceptual_hash

MAX_BYTES = 256 * 2**20
MAX_SIDE = 30_000
# Pillow's own threshold, above which it speaks of a decompression bomb.
MAX_PIXELS = 89_478_485

# Pillow's name of a format: the extension in the store. MPO is a JPEG with more pictures behind it.
EXTENSIONS = {
    "JPEG": "jpg",
    "MPO": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tiff",
}
# What Pillow may try; it finds an MPO as a JPEG.
READ = tuple(name for name in EXTENSIONS if name != "MPO")


@dataclass(frozen=True, slots=True)
class Picture:
    """What the header says. Sizes are pixels as stored: an EXIF rotation is not applied.

    `perceptual_hash` is known only of a picture that was decoded and is large enough to have one.
    """

    format: str
    width: int
    height: int
    perceptual_hash: int | None = None

    @property
    def extension(self) -> str:
        return EXTENSIONS[self.format]


def read_bytes(path: Path) -> tuple[bytes, str]:
    """A file's content and its sha256 (hex). Raises ImageError: unreadable, empty or > MAX_BYTES."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a named pipe would wait forever
            raise ImageError(f"{path} is not a regular file")
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    if not data:
        raise ImageError(f"{path} is empty")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{path} is larger than {MAX_BYTES // 2**20} MiB")
    return data, hashlib.sha256(data).hexdigest()


def inspect_picture(data: bytes, path: Path, *, decode: bool) -> Picture:
    """Format and size of the picture in `data`; `path` is for messages only.

    With `decode` every pixel of the (first) frame is decoded, so that a truncated or damaged file
    shows itself here and not in the middle of a training. Raises ImageError, naming file and reason.
    """
    try:
        with Image.open(io.BytesIO(data), formats=READ) as image:
            picture = Picture(image.format or "", image.width, image.height)
            _check_size(picture, path)
            if decode:
                image.load()
                picture = replace(picture, perceptual_hash=perceptual_hash(image))
    except (
        ImageError,
        ImportError,
        MemoryError,
    ):  # none of which the picture's bytes are to blame for
        raise
    except UnidentifiedImageError as error:
        known = ", ".join(READ)
        raise ImageError(f"{path} is no picture that comd reads ({known})") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path} has more than {MAX_PIXELS:,} pixels") from error
    except Exception as error:
        # Pillow's plugins raise almost any error on damaged bytes (OSError, SyntaxError, ValueError,
        # struct.error, zlib.error, IndexError, ...); each of them means the same to the user.
        raise ImageError(f"{path} is damaged: {error}") from error
    return picture


def _check_size(picture: Picture, path: Path) -> None:
    width, height = picture.width, picture.height
    if width < 1 or height < 1:
        raise ImageError(f"{path} has no pixels ({width} x {height})")
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"{path} is {width:,} x {height:,}; a side may have {MAX_SIDE:,} pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{path} is {width:,} x {height:,}; a picture may have {MAX_PIXELS:,} pixels"
        )
