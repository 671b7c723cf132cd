"""Alembic's environment: one connection handed in, an advisory lock, a short lock_timeout."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from comd_platform.tables import Base

_LOCK_KEY = 0x636F6D64  # "comd"


def run(connection: Connection) -> None:
    """Migrate over `connection`. Only one process migrates a database at a time.

    Waiting longer than 10 s for another session's table lock is an error rather than an outage.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
