"""Reading: one report, as a user who may only read, with a limit in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import streamlit as st
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from comd_platform.db.engine import transaction
from comd_platform.db.reader import reader_engine
from comd_platform.errors import ComdError
from comd_platform.settings import get_settings

P = ParamSpec("P")
R = TypeVar("R")

TIMEOUT_SECONDS = 5
KEPT_FOR = timedelta(seconds=5)

_QUERY_CANCELED = "57014"
_UNDEFINED = {"42P01", "42703", "42883"}  # table, column, function


class ReadError(ComdError):
    """The database did not answer; the rest of the page may still be shown."""


@st.cache_resource(show_spinner=False)
def database() -> Engine:
    """The process's engine on the user's database; starts the embedded one if need be.

    Its transactions are read-only and give up after TIMEOUT_SECONDS.
    """
    return reader_engine(get_settings(), statement_timeout_s=TIMEOUT_SECONDS)


def read_now(report: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """A report as it is this moment. Raises ReadError when it takes too long or cannot be had."""
    try:
        with transaction(database()) as session:
            return report(session, *args, **kwargs)
    except (OperationalError, ProgrammingError) as error:
        raise _told(error) from error


def read(report: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """A report at most a few seconds old, shared by all who look."""
    name = f"{report.__module__}.{report.__qualname__}"
    return cast("R", _kept(str(database().url), name, args, kwargs, report))


@st.cache_data(ttl=KEPT_FOR, max_entries=256, show_spinner=False)
def _kept(
    url: str,  # noqa: ARG001 - part of the cache's key, like the name
    name: str,  # noqa: ARG001
    args: tuple[object, ...],
    kwargs: dict[str, object],
    _report: Callable[..., Any],
) -> Any:
    return read_now(_report, *args, **kwargs)


def _told(error: OperationalError | ProgrammingError) -> ReadError:
    state = getattr(error.orig, "sqlstate", None)
    if state == _QUERY_CANCELED:
        return ReadError(
            f"The database took longer than {TIMEOUT_SECONDS} seconds.",
            hint="It may be busy; the page tries again when it is loaded again.",
        )
    if state in _UNDEFINED:
        return ReadError(
            "The database is not at this version's schema.", hint="Run: comd db upgrade"
        )
    return ReadError("The database cannot be reached.", hint="Run: comd db status")
