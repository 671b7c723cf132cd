"""Data out: pools as files that other tools read."""

from comd_platform.exporters.exporting import ExportManifest, export_pool
from comd_platform.exporters.registry import FORMATS, ExportError, Format

__all__ = ["FORMATS", "ExportError", "ExportManifest", "Format", "export_pool"]
