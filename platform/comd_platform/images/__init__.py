"""Pictures: a content-addressed store, verified on the way in, and their rows."""

from comd_platform.images.names import ImageError
from comd_platform.images.reading import load_upright, stored_file
from comd_platform.images.register import register_images
from comd_platform.images.store import ImageStore, StoredImage

__all__ = [
    "ImageError",
    "ImageStore",
    "StoredImage",
    "load_upright",
    "register_images",
    "stored_file",
]
