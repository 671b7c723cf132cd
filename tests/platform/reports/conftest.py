"""One synthetic database for the session; every test reads and changes it in its own transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, Engine, text
from sqlalchemy.orm import Session

from comd_platform.db.engine import libpq_url, make_engine

SYNTHETIC = Path(__file__).parents[2] / "support" / "synthetic_run.sql"


@pytest.fixture(scope="session")
def synthetic(server_url: URL, template_database: str) -> Iterator[Engine]:
    """A database with the runs `paper` (1) and `random` (2), on 120 seed instructions."""
    url = server_url.set(database="comd_test_reports")
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{url.database}" TEMPLATE "{template_database}"')
        with psycopg.connect(libpq_url(url)) as inside:
            inside.execute("SET comd.instructions = 120")
            inside.execute(SYNTHETIC.read_bytes())
        made = make_engine(url)
        yield made
        made.dispose()
        connection.execute(f'DROP DATABASE "{url.database}" WITH (FORCE)')


@pytest.fixture
def session(synthetic: Engine) -> Iterator[Session]:
    """A session whose changes nobody sees: rolled back at the end."""
    with Session(synthetic) as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def empty(session: Session) -> Session:
    """The same without a single row."""
    session.execute(text("TRUNCATE prompt, image, pool, benchmark, worker CASCADE"))
    return session


@pytest.fixture
def fresh(session: Session) -> Session:
    """The ledger as it was when the database was filled, which was just now."""
    age = session.scalar(text("SELECT now() - max(heartbeat_at) - interval '1 s' FROM worker"))
    for table, columns in {
        "worker": ("started_at", "heartbeat_at"),
        "work_item": ("started_at", "finished_at", "lease_expires_at"),
        "iteration_phase": ("started_at", "finished_at"),
    }.items():
        moved = ", ".join(f"{column} = {column} + :age" for column in columns)
        session.execute(text(f"UPDATE {table} SET {moved}"), {"age": age})
    return session
