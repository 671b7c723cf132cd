"""One driver a run: an advisory lock that dies with its holder's connection."""

from __future__ import annotations

import os
import socket
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.exc import DBAPIError

from comd_platform.errors import ComdError
from comd_platform.runs import RunError
from comd_platform.tables import Run

_CLASS = 0x636F6D64  # "comd", the first of the lock's two numbers


class RunLocked(ComdError):
    """Another driver has the run."""


class RunLock:
    """Held on a connection of its own for as long as the driver works on the run."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        try:
            connection.execute(
                update(Run).where(Run.name == self._name).values(driver=None, driver_since=None)
            )
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.commit()
        except DBAPIError:
            connection.invalidate()  # the server is gone, and the lock with it
        finally:
            connection.close()

    def check(self) -> None:
        """Take the lock again where the connection that held it was lost. Raises RunLocked."""
        assert self._connection is not None, "the lock is not held"
        try:
            self._connection.execute(text("SELECT 1"))
            self._connection.rollback()
        except DBAPIError:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
            self._take()

    def _take(self) -> None:
        connection = self._engine.connect()
        try:
            self._take_on(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _take_on(self, connection: Connection) -> None:
        run = connection.execute(
            select(Run.id, Run.driver, Run.driver_since).where(Run.name == self._name)
        ).one_or_none()
        if run is None:
            raise RunError(
                f"no run named {self._name!r}", hint="comd run list shows those there are."
            )
        taken = connection.execute(select(func.pg_try_advisory_lock(_CLASS, run.id))).scalar_one()
        if not taken:
            since = f" since {run.driver_since:%Y-%m-%d %H:%M:%S %Z}" if run.driver_since else ""
            raise RunLocked(
                f"run {self._name!r} is being driven by {run.driver or 'another process'}{since}",
                hint=f"Watch it: comd status {self._name}",
            )
        connection.execute(
            update(Run)
            .where(Run.id == run.id)
            .values(driver=f"{socket.gethostname()}:{os.getpid()}", driver_since=func.now())
        )
        connection.commit()
