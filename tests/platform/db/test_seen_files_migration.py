"""The revision of files read before, up and down on data."""

from __future__ import annotations

from sqlalchemy import URL, text

import comd_migrations
from comd_platform.db.engine import make_engine


def test_up_and_down_on_data(empty_database: URL) -> None:
    engine = make_engine(empty_database)
    comd_migrations.upgrade(engine, "0012")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO image (sha256, path, source, width, height, format, bytes)"
                " VALUES (repeat('a', 64), 'aa/a.png', 'a.png', 4, 3, 'PNG', 70)"
            )
        )
    comd_migrations.upgrade(engine, "0013")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO file_content VALUES ('/pictures/a.png', '70:1:2:3', repeat('a', 64))")
        )
    comd_migrations.downgrade(engine, "0012")
    comd_migrations.upgrade(engine, "0013")
    with engine.connect() as connection:
        # What was noted is read again; what it was noted for is untouched.
        assert connection.scalar(text("SELECT count(*) FROM file_content")) == 0
        assert connection.scalar(text("SELECT sha256 FROM image")) == "a" * 64
    engine.dispose()
