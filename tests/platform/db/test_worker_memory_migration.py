"""The revision of the workers' memory, up and down on workers."""

from __future__ import annotations

from sqlalchemy import URL, text

import comd_migrations
from comd_platform.db.engine import make_engine


def test_up_and_down_on_data(empty_database: URL) -> None:
    engine = make_engine(empty_database)
    comd_migrations.upgrade(engine, "0008")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO worker (name, host, pid, roles, device, state, heartbeat_at)"
                " VALUES ('w', 'h', 1, '{student}', 'cpu', 'idle', now())"
            )
        )
    comd_migrations.upgrade(engine, "0009")
    with engine.begin() as connection:
        connection.execute(text("UPDATE worker SET memory_bytes = 7 WHERE device_bytes IS NULL"))
    comd_migrations.downgrade(engine, "0008")
    comd_migrations.upgrade(engine, "0009")
    with engine.connect() as connection:
        found = connection.execute(text("SELECT name, memory_bytes FROM worker")).one()
    assert tuple(found) == ("w", None)
    engine.dispose()
