"""What a phase's work is: read, compute, write. Only the writing is in the final transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from sqlalchemy.orm import Session

from comd_workers.engines.cache import Engines
from comd_workers.perform.job import Job

Inputs = TypeVar("Inputs")
Outputs = TypeVar("Outputs")


class Handler(ABC, Generic[Inputs, Outputs]):
    """One phase. `compute` may take hours and holds no transaction.

    `stops_itself`: `compute` ends in good order when the worker is asked to leave, and is not to be
    interrupted.
    """

    stops_itself: ClassVar[bool] = False

    @abstractmethod
    def read(self, session: Session, job: Job) -> Inputs:
        """Plain values for `compute`; what has been done meanwhile is left out."""

    @abstractmethod
    def compute(self, job: Job, inputs: Inputs, engines: Engines) -> Outputs:
        """The work itself. Raises EngineError when nothing can be done at all."""

    @abstractmethod
    def write(self, session: Session, job: Job, outputs: Outputs) -> None:
        """Result rows, and failure rows for subjects without one."""
