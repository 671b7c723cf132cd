"""Deciding: the one thing that the dashboard writes, through a role that may do nothing else."""

from __future__ import annotations

import getpass
from urllib.parse import unquote

import streamlit as st
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from comd_dashboard.data import ReadError
from comd_dashboard.guard import USER
from comd_platform.db.engine import transaction
from comd_platform.db.reviewer import reviewer_engine
from comd_platform.review import Decision, record
from comd_platform.settings import get_settings


@st.cache_resource(show_spinner=False)
def writer() -> Engine:
    """The process's engine as the reviewing role. Raises DatabaseError where there is none."""
    return reviewer_engine(get_settings())


def decide(decision: Decision) -> None:
    """Write it. Raises ReviewError, DatabaseError; ReadError where the database did not take it."""
    try:
        with transaction(writer()) as session:
            record(session, decision)
    except ProgrammingError as error:
        raise ReadError(
            "The decision was not written: the reviewing role may not.",
            hint="Run: comd db grant-reviewer",
        ) from error
    except OperationalError as error:
        raise ReadError(
            "The decision was not written: the database cannot be reached.",
            hint="Run: comd db status",
        ) from error


def signed_in() -> str:
    """Whom the guard let in by name; "" where it asks nobody."""
    return unquote(st.context.headers.get(USER) or "")


def here() -> str:
    """Who started the dashboard, whom one takes to sit before it where nobody is asked."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
