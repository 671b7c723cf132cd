"""Pictures as engines need them: opened and upright, or encoded to be sent."""

from __future__ import annotations

import base64
import io
from collections import OrderedDict
from pathlib import Path

from PIL import Image

from comd_platform.images import load_upright
from comd_platform.images.verify import READ, inspect_picture, require_whole

# Sent as they lie on disk; anything else is encoded as PNG first.
_ORIENTATION = 0x0112  # EXIF
_SENT_AS_IS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}


class PictureError(Exception):
    """A picture that cannot be read; concerns the one request that shows it."""


def load_rgb(path: Path) -> Image.Image:
    """The picture in RGB, turned upright (EXIF), fully decoded. Raises PictureError."""
    try:
        return load_upright(path)
    # Pillow's decoders raise SyntaxError, ValueError and more on broken files.
    except Exception as error:
        raise _unreadable(path, error) from error


class Shelf:
    """Decoded pictures, kept up to `limit_bytes`: one picture is shown to several requests (its
    other questions, the judge's second order). Files are taken not to change while it is open.
    """

    def __init__(self, limit_bytes: int = 128 * 2**20) -> None:
        self._limit = limit_bytes
        self._held = 0
        self._pictures: OrderedDict[Path, Image.Image] = OrderedDict()

    def load_rgb(self, path: Path) -> Image.Image:
        """As `load_rgb`; the picture is shared, not to be drawn on. Raises PictureError."""
        picture = self._pictures.get(path)
        if picture is None:
            picture = self._pictures[path] = load_rgb(path)
            self._held += _bytes(picture)
        self._pictures.move_to_end(path)
        while self._held > self._limit and len(self._pictures) > 1:
            self._held -= _bytes(self._pictures.popitem(last=False)[1])
        return picture


def data_url(path: Path, max_side: int | None) -> str:
    """A `data:` URL of the picture, its longer side at most `max_side` pixels.

    The bytes on disk are sent untouched where they can be, once they are seen to be whole as the image
    store sees it: decoding a JPEG would cost several times what the rest of its request does. Raises
    PictureError.
    """
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content), formats=READ) as original:
            mime = _mime(original, max_side)
        if mime:
            require_whole(inspect_picture(content, path), content, path)
            return _encoded(content, mime)
    except Exception as error:  # Pillow's, as above
        raise _unreadable(path, error) from error
    picture = load_rgb(path)
    if max_side is not None:
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return _encoded(_png(picture), "image/png")


def _mime(original: Image.Image, max_side: int | None) -> str | None:
    """What to call a picture that can be sent as it lies on disk; None: it has to be made anew.

    A server may not turn it by its EXIF, and would show a model of another school the wrong frame.
    """
    if max_side is not None and max(original.size) > max_side:
        return None
    return _SENT_AS_IS.get(original.format or "") if _is_upright(original) else None


def _is_upright(picture: Image.Image) -> bool:
    return bool(picture.getexif().get(_ORIENTATION, 1) == 1)


def _unreadable(path: Path, error: Exception) -> PictureError:
    return PictureError(f"cannot read picture {path}: {str(error) or type(error).__name__}")


def _bytes(picture: Image.Image) -> int:
    return 3 * picture.width * picture.height


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def _encoded(content: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
