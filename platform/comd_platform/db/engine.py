"""Connections: which database, one engine a process, sessions that commit or leave no trace."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from comd_platform.db.embedded import EmbeddedPostgres
from comd_platform.errors import ComdError
from comd_platform.settings import Settings

log = logging.getLogger(__name__)


class DatabaseError(ComdError):
    """The database cannot be reached, or is not what this version of comd expects."""


def database_url(settings: Settings, *, start: bool = True) -> URL:
    """COMD_DATABASE_URL, or the embedded server's URL after starting it (`start`).

    Raises DatabaseError for a URL that is not PostgreSQL's, EmbeddedError when it cannot start.
    """
    if settings.database_url is None:
        embedded = EmbeddedPostgres(settings.home)
        if start:
            embedded.start()
        return make_url(embedded.url()).set(drivername="postgresql+psycopg")
    try:
        url = make_url(settings.database_url.get_secret_value())
    except ArgumentError as error:
        raise DatabaseError(
            "COMD_DATABASE_URL is not a URL",
            hint="Write it as postgresql://user:password@host:5432/database",
        ) from error
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise DatabaseError(
            f"COMD_DATABASE_URL names {url.get_backend_name()!r}; comd needs PostgreSQL 15 or newer"
        )
    return url.set(drivername="postgresql+psycopg")


def libpq_url(url: URL) -> str:
    """The same address as psql, psycopg and pgmq write it. Holds the password: never print it."""
    rendered = url.set(drivername="postgresql").render_as_string(hide_password=False)
    # SQLAlchemy leaves a space in a password and writes it as + in a query: libpq knows %20 alone.
    address, mark, query = rendered.partition("?")
    return address.replace(" ", "%20") + mark + query.replace("+", "%20")


def make_engine(url: URL, *, pool_size: int = 5, application_name: str = "comd") -> Engine:
    """An engine that notices lost connections. `prepare_threshold` is psycopg's default.

    `application_name`: whose sessions these are, for pg_stat_activity.
    """
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=5,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "application_name": application_name},
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One session, one transaction: committed at the end of the block, or rolled back whole."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session
