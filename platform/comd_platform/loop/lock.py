"""One driver a run: an advisory lock that dies with its holder's connection."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from comd_platform.errors import ComdError
from comd_platform.runs import RunError
from comd_platform.tables import Run

log = logging.getLogger(__name__)

_CLASS = 0x636F6D64  # "comd", the first of the lock's two numbers
_LOOK_SECONDS = 1.0
_NOTICE_SECONDS = 120.0
"""How long a server may take to notice that our earlier connection, and the lock on it, is gone."""


class RunLocked(ComdError):
    """Another driver, `holder` ("host:pid"), has the run."""

    def __init__(self, message: str, *, hint: str, holder: str | None) -> None:
        super().__init__(message, hint=hint)
        self.holder = holder


class RunLock:
    """Held on a connection of its own for as long as the driver works on the run.

    `wait`: wait until another driver has left the run, or `stop` is set, instead of raising
    RunLocked at once.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        *,
        wait: bool = False,
        stop: threading.Event | None = None,
    ) -> None:
        self._engine = engine
        self._name = name
        self._wait = wait
        self._stop = stop or threading.Event()
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        told = False
        while True:
            try:
                self._take()
            except RunLocked as held:
                if not self._wait:
                    raise
                if not told:
                    log.warning("%s; waiting until it leaves", held)
                    told = True
                if self._stop.wait(_LOOK_SECONDS):
                    raise
            else:
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
        """Take the lock again where the connection that held it was lost.

        Raises RunLocked when another driver was faster, DBAPIError while the server is away.
        """
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
                self._connection.rollback()
            except DBAPIError:
                self._connection.invalidate()
                self._connection.close()
                self._connection = None
            else:
                return
        self._take_again()

    def _take_again(self) -> None:
        deadline = time.monotonic() + _NOTICE_SECONDS
        while True:
            try:
                return self._take()
            except RunLocked as held:
                if held.holder != _ourselves() or time.monotonic() > deadline:
                    raise
                if self._stop.wait(_LOOK_SECONDS):
                    raise

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
                hint=f"Watch it: comd status {self._name}. Take over when it ends: "
                f"comd iterate {self._name} --wait",
                holder=run.driver,
            )
        connection.execute(
            update(Run).where(Run.id == run.id).values(driver=_ourselves(), driver_since=func.now())
        )
        connection.commit()


def driver_of(session: Session, run: Run) -> str | None:
    """Who drives a run ("host:pid"); None when nobody does, a driver killed in mid-work included."""
    held = session.scalar(
        text(
            "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE datname = current_database() AND locktype = 'advisory' AND granted"
            " AND classid = :class AND objid = :run AND objsubid = 2)"
        ),
        {"class": _CLASS, "run": run.id},
    )
    return run.driver if held else None


def _ourselves() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
