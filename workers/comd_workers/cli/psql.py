"""psql on comd's database: the one on the PATH, or the one that comes with the embedded server."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

from comd_platform.settings import get_settings

_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
}


def open_psql(*arguments: str) -> NoReturn:
    """Become psql; it takes the terminal over."""
    from psycopg.conninfo import conninfo_to_dict

    from comd_platform.db.embedded import psql_program
    from comd_platform.db.engine import database_url, libpq_url

    program = shutil.which("psql") or psql_program()
    # The URL may hold a password: libpq takes it from the environment, not from the process list.
    environment = dict(os.environ)
    url = libpq_url(database_url(get_settings()))
    for key, value in conninfo_to_dict(url).items():
        if key in _VARIABLES and value is not None:
            environment[_VARIABLES[key]] = str(value)
    os.execve(program, [program, *arguments], environment)  # noqa: S606 - psql takes the terminal over
