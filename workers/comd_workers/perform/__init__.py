"""What workers do, a file a phase; `runner` puts the ledger around it."""

from comd_workers.perform.runner import Performer

__all__ = ["Performer"]
