"""A picture as a model sees it, the same wherever it is read: by an engine or in a training."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from comd_platform.images.names import ImageError, locate
from comd_platform.images.verify import READ


def stored_file(root: Path, path: str) -> Path:
    """The file of a stored picture, from the path that its row holds.

    A row or a link that leads out of the image root is refused here too, where workers read, since
    rows and files may have changed after the import. Raises ImageError, also when there is no file.
    """
    found = locate(root, path)
    if found is None:
        raise ImageError(
            f"the picture {path} is not in the image root {root}",
            hint="COMD_IMAGES names the image root; it has to be the same on every node.",
        )
    return found


def load_upright(path: Path) -> Image.Image:
    """The picture in RGB, turned as its EXIF says, first frame, fully decoded.

    Only by the decoders of the formats that are imported, whatever the file claims to be: Pillow
    would start Ghostscript for an EPS. Raises what Pillow raises on a damaged file.
    """
    with Image.open(path, formats=READ) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")
