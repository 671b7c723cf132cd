"""Pictures: a content-addressed store, verified on the way in, and their rows."""

from comd_platform.images.names import ImageError
from comd_platform.images.register import register_images
from comd_platform.images.store import ImageStore, StoredImage

__all__ = ["ImageError", "ImageStore", "StoredImage", "register_images"]
