"""A run as one file, and back: rows, pictures and checkpoints, into any database."""

from comd_platform.backup.archive import BackupError
from comd_platform.backup.restoring import Restored, restore_run
from comd_platform.backup.writing import BackedUp, backup_run

__all__ = ["BackedUp", "BackupError", "Restored", "backup_run", "restore_run"]
