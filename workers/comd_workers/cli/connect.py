"""The database for one command: reached, checked, and made ready where it is ours to make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from comd_platform.settings import Settings


@contextmanager
def database() -> Iterator[tuple[Engine, Settings]]:
    """An engine on a database at the newest migration.

    An empty embedded database is migrated on the way; a server of the user's never is without
    `comd db upgrade`. Raises DatabaseError saying what to do.
    """
    from sqlalchemy.exc import OperationalError

    import comd_migrations
    from comd_platform.db.engine import DatabaseError, database_url, make_engine
    from comd_platform.settings import get_settings

    settings = get_settings()
    engine = make_engine(database_url(settings))
    try:
        if not comd_migrations.is_current(engine):
            found = comd_migrations.status(engine)
            if found.current is None and settings.database_url is None:
                comd_migrations.upgrade(engine)
            else:
                comd_migrations.require_current(engine)
    except OperationalError as error:
        engine.dispose()
        raise DatabaseError(
            f"cannot reach the database: {str(error.orig).strip()}",
            hint="Check COMD_DATABASE_URL, or unset it to use the embedded PostgreSQL.",
        ) from error
    try:
        yield engine, settings
    finally:
        engine.dispose()
