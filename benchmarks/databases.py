"""Databases to measure on: one server for all of a run, one migrated database for each need."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, Engine, make_url, text
from sqlalchemy.orm import Session

from comd_migrations import upgrade
from comd_platform.config.load import parse_config
from comd_platform.config.run import RunConfig
from comd_platform.db.embedded import EmbeddedPostgres
from comd_platform.db.engine import libpq_url, make_engine
from comd_platform.runs import create_run
from comd_platform.tables import Pool, Run

SERVER = "COMD_BENCH_DATABASE_URL"
"""A server where databases may be made; unset, an embedded one that ends with the benchmark."""


CONFIG: RunConfig = parse_config(
    {
        "name": "bench",
        "pool": "bench",
        "teacher": {"model": {"engine": "scripted", "model": "quiz"}},
        "student": {"model": {"engine": "scripted", "model": "quiz"}},
    }
)


@contextmanager
def server() -> Iterator[URL]:
    """The server of SERVER, or an embedded PostgreSQL in a temporary home."""
    given = os.environ.get(SERVER)
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    with tempfile.TemporaryDirectory(prefix="comd-bench-") as home:
        Path(home).chmod(0o711)  # root's PostgreSQL runs as a user who must get in
        embedded = EmbeddedPostgres(Path(home))
        embedded.start()
        try:
            yield make_url(embedded.url("postgres")).set(drivername="postgresql+psycopg")
        finally:
            embedded.stop()


@contextmanager
def database(where: URL, template: URL | None = None) -> Iterator[URL]:
    """A database at the newest migration, or a copy of `template`; dropped afterwards."""
    name = f"comd_bench_{uuid.uuid4().hex[:12]}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name),
        sql.Identifier((template.database if template else None) or "template0"),
    )
    url = where.set(database=name)
    with psycopg.connect(libpq_url(where), autocommit=True) as connection:
        connection.execute(create)
        try:
            if template is None:
                with connected(url) as engine:
                    upgrade(engine)
            yield url
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)


@contextmanager
def connected(url: URL) -> Iterator[Engine]:
    """An engine as comd itself makes it."""
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def make_run(session: Session) -> Run:
    """A run of CONFIG over an empty pool."""
    session.add(Pool(name=CONFIG.pool, origin="import"))
    session.flush()
    return create_run(session, CONFIG)


def maintain(engine: Engine, statement: str) -> None:
    """A statement that wants no transaction around it: VACUUM, TRUNCATE."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
