"""The `comd` command."""

from comd_workers.cli.app import main

__all__ = ["main"]
