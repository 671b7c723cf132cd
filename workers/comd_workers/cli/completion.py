"""What the shell offers after TAB: names out of the database, where it runs already."""

from __future__ import annotations


def complete_run(incomplete: str) -> list[str]:
    """Names of runs that begin with what was typed, the newest first.

    TAB must never start a server, wait, or print an error: where the database cannot be asked at
    once, nothing is offered.
    """
    import psycopg

    from comd_platform.db.embedded import EmbeddedPostgres
    from comd_platform.db.engine import database_url, libpq_url
    from comd_platform.errors import ComdError
    from comd_platform.settings import get_settings

    settings = get_settings()
    try:
        if settings.database_url is None and EmbeddedPostgres(settings.home).status().pid is None:
            return []
        url = libpq_url(database_url(settings, start=False))
        with psycopg.connect(url, connect_timeout=2) as connection:
            found = connection.execute(
                "SELECT name FROM run WHERE starts_with(name, %s) ORDER BY id DESC LIMIT 50",
                (incomplete,),
            )
            return [str(name) for (name,) in found]
    except (psycopg.Error, ComdError):
        return []
