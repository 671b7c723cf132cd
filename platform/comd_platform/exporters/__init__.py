"""Data out: pools as files that other tools read, runs as folders that explain themselves."""

from comd_platform.exporters.exporting import ExportManifest, export_pool
from comd_platform.exporters.folder import ExportedRun, Wanted, export_run
from comd_platform.exporters.registry import FORMATS, ExportError, Format
from comd_platform.exporters.rows import Filters

__all__ = [
    "FORMATS",
    "ExportError",
    "ExportManifest",
    "ExportedRun",
    "Filters",
    "Format",
    "Wanted",
    "export_pool",
    "export_run",
]
