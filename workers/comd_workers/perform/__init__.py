"""What workers do, a file a phase; `runner` puts the ledger around it."""

from comd_workers.perform.runner import Performer, performing

__all__ = ["Performer", "performing"]
