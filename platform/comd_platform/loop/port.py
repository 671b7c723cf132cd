"""What the loop needs of the outside: somebody to work, and somebody to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Settled:
    """What the driver's own part of a phase came to; `records` is None where workers were counted."""

    records: int | None = None
    note: str | None = None


class Workforce(Protocol):
    """Whoever does the work. A lost or a doubled ring does no harm: the rows say what is to be done."""

    def ring(self, item_id: int, role: str) -> None:
        """Ask some worker of `role` to look at a work item. May raise; it is rung again later."""
        ...

    def tend(self) -> None:
        """Called every round: see that somebody is there. Raises ComdError where nobody can be."""
        ...


class Watcher(Protocol):
    """Hears how the loop goes on; the CLI draws progress from it."""

    def phase_started(self, iteration: int, phase: str, total: int) -> None: ...

    def phase_progress(self, iteration: int, phase: str, done: int, total: int) -> None: ...

    def phase_finished(self, iteration: int, phase: str, note: str | None) -> None: ...


class Silent:
    """A watcher that does not care."""

    def phase_started(self, iteration: int, phase: str, total: int) -> None:
        pass

    def phase_progress(self, iteration: int, phase: str, done: int, total: int) -> None:
        pass

    def phase_finished(self, iteration: int, phase: str, note: str | None) -> None:
        pass
