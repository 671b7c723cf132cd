"""Data in: files of instructions become root pools; pictures may come with them or later."""

from comd_platform.importers.importing import ImportReport, import_file
from comd_platform.importers.late_images import (
    ImagesReport,
    Missing,
    import_images,
    missing_images,
)
from comd_platform.importers.pictures import PicturesReport, import_pictures
from comd_platform.importers.records import ImportFailed
from comd_platform.importers.registry import FORMATS, Format

__all__ = [
    "FORMATS",
    "Format",
    "ImagesReport",
    "ImportFailed",
    "ImportReport",
    "Missing",
    "PicturesReport",
    "import_file",
    "import_images",
    "import_pictures",
    "missing_images",
]
