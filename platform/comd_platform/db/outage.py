"""Sitting out an outage: the database goes away, whoever needs it waits, visibly and not for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from comd_platform.db.embedded import EmbeddedError, EmbeddedPostgres
from comd_platform.db.engine import DatabaseError
from comd_platform.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

WORKED_SECONDS = 60.0
"""Work that went on for so long had a database: its next outage is another one."""

_TELL_EVERY_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

_GOING_OR_COMING = {"57P01", "57P02", "57P03", "57P05", "53300"}
"""admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout, too_many_connections."""


class DatabaseGone(DatabaseError):
    """The database went away and did not come back while we waited."""


def is_outage(error: BaseException) -> bool:
    """Whether the connection is at fault and not the statement: the same work may go well later."""
    if not isinstance(error, OperationalError | InterfaceError):
        return isinstance(error, DBAPIError) and error.connection_invalidated
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # no answer at all
        return True
    return error.connection_invalidated or state.startswith("08") or state in _GOING_OR_COMING


class Patience:
    """How long to wait for a database that went away, and what to do meanwhile.

    `stop` ends the waiting early. `revive` is called before each further attempt.
    """

    def __init__(
        self,
        seconds: float = 1800.0,
        *,
        stop: threading.Event | None = None,
        revive: Callable[[], None] = lambda: None,
    ) -> None:
        self._seconds = seconds
        self._stop = stop or threading.Event()
        self._revive = revive
        self._mended_at: float | None = None

    @classmethod
    def of(cls, settings: Settings, stop: threading.Event | None = None) -> Patience:
        """As the settings say; an embedded server that died is started again."""
        return cls(settings.database_patience, stop=stop, revive=lambda: revive_embedded(settings))

    def outlast(self, action: Callable[[], T]) -> T:
        """What `action` returns, begun anew after every outage: it must bear being done twice.

        Raises DatabaseGone when the patience is at its end, or `stop` is set during an outage.
        """
        away_since: float | None = None
        told_at = 0.0
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                result = action()
            except DBAPIError as error:
                if not is_outage(error):
                    raise
                now = time.monotonic()
                if away_since is None or now - began > WORKED_SECONDS:
                    away_since, pause, told_at = now, _FIRST_PAUSE, 0.0
                said = _said(error)
                if now - away_since >= self._seconds:
                    raise self._gone(said, f"for {now - away_since:.0f} s") from error
                if now - told_at >= _TELL_EVERY_SECONDS:
                    left = self._seconds - (now - away_since)
                    log.warning("the database is away, waiting up to %.0f s: %s", left, said)
                    told_at = now
                if self._stop.wait(pause):
                    raise self._gone(said, "and we were asked to stop") from error
                pause = min(2 * pause, _LONGEST_PAUSE)
                self._revive()
                self._mended_at = time.monotonic()
            else:
                if away_since is not None:
                    log.warning("the database is back; it was away %.1f s", began - away_since)
                return result

    def mended_within(self, seconds: float) -> bool:
        """Whether an outage ended so lately that others may not have noticed its end yet."""
        return self._mended_at is not None and time.monotonic() - self._mended_at < seconds

    def _gone(self, said: str, why: str) -> DatabaseGone:
        return DatabaseGone(
            f"the database is away {why}: {said}",
            hint="Nothing is lost. When it is back, give the same command again "
            "(COMD_DATABASE_PATIENCE: seconds to wait for it).",
        )


def revive_embedded(settings: Settings) -> None:
    """Start an embedded server that died. One that was stopped (`comd db stop`) stays stopped."""
    if settings.database_url is not None:
        return
    try:
        EmbeddedPostgres(settings.home).start_again()
    except (EmbeddedError, psycopg.Error) as error:
        log.warning("the embedded PostgreSQL does not start yet: %s", error)


def _said(error: DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
