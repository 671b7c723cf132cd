"""Is it a picture, how large, and is it all there? Settled once, before a picture is believed.

A JPEG whose header can be read and whose last marker is in its place is whole: nothing is missing at
the end. In doubt, and for every other format, all pixels are decoded. (In a JPEG that was damaged in
the middle decoding finds hardly more: libjpeg fills such places with grey. docs/decisions.md counts.)
"""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from comd_platform.images.names import ImageError

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
_JPEG = ("JPEG", "MPO")
_JPEG_END = b"\xff\xd9"  # a marker; pixels never hold it
_PADDING = b"\0\r\n"  # what some cameras and downloads leave behind it


@dataclass(frozen=True, slots=True)
class Picture:
    """What the header says. Sizes are pixels as stored: an EXIF rotation is not applied."""

    format: str
    width: int
    height: int

    @property
    def extension(self) -> str:
        return EXTENSIONS[self.format]


def read_bytes(path: Path) -> tuple[bytes, str]:
    """A file's content and its sha256 (hex). Raises ImageError: unreadable, empty or > MAX_BYTES."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a named pipe would wait forever
            raise ImageError(f"{path} is not a regular file")
        with path.open("rb") as handle:
            data = handle.read(min(found.st_size, MAX_BYTES) + 1)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    if not data:
        raise ImageError(f"{path} is empty")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{path} is larger than {MAX_BYTES // 2**20} MiB")
    return data, hashlib.sha256(data).hexdigest()


def inspect_picture(data: bytes, path: Path) -> Picture:
    """Format and size of the picture in `data`; `path` is for messages only.

    Raises ImageError, naming file and reason, for what is none and for what is too large.
    """
    with _opened(data, path) as image:
        picture = Picture(image.format or "", image.width, image.height)
        _check_size(picture, path)
    return picture


def require_whole(picture: Picture, data: bytes, path: Path) -> None:
    """Raise ImageError where `data`, of which `picture` is the header, is not all there.

    So a truncated or damaged file shows itself here and not in the middle of a training.
    """
    if picture.format in _JPEG and _ends_as_jpeg(data):
        return
    with _opened(data, path) as image:
        image.load()


@contextmanager
def _opened(data: bytes, path: Path) -> Iterator[Image.Image]:
    """The picture, its header read; what goes wrong inside is told as an ImageError."""
    try:
        with Image.open(io.BytesIO(data), formats=READ) as image:
            yield image
    except (ImageError, ImportError, MemoryError):
        raise  # the picture's bytes are not to blame
    except UnidentifiedImageError as error:
        known = ", ".join(READ)
        raise ImageError(f"{path} is no picture that comd reads ({known})") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path} has more than {MAX_PIXELS:,} pixels") from error
    except Exception as error:
        # Pillow's plugins raise almost any error on damaged bytes (OSError, SyntaxError, ValueError,
        # struct.error, zlib.error, IndexError, ...); each of them means the same to the user.
        raise ImageError(f"{path} is damaged: {error}") from error


def _ends_as_jpeg(data: bytes) -> bool:
    return data[-64:].rstrip(_PADDING).endswith(_JPEG_END)


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
