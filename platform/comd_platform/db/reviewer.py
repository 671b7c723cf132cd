"""Writing decisions and nothing else: the role behind the dashboard's one page that writes.

It may insert into six columns of `review`. It reads nothing, not even what it wrote; ids and times
are the database's. Unlike reading, this is never done as the owner of the database.
"""

from __future__ import annotations

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy import URL, Engine

from comd_platform.db.engine import DatabaseError, database_url, libpq_url, make_engine
from comd_platform.db.roles import given_url, grant_role, made_and_granted
from comd_platform.settings import Settings

REVIEWER = "comd_reviewer"
_VARIABLE = "COMD_REVIEWER_URL"
_COLUMNS = "instruction_id, decision, text, note, author, undoes_id"


def reviewer_engine(settings: Settings) -> Engine:
    """An engine that may add decisions: the user of COMD_REVIEWER_URL, or on the embedded server
    `comd_reviewer`, made when it is first needed. Raises DatabaseError where there is neither."""
    return make_engine(_reviewer_url(settings), pool_size=2, application_name="comd reviewer")


def grant_reviewer(settings: Settings) -> str:
    """Make the reviewing role, let it add decisions; returns its name.

    Its name and password are those of COMD_REVIEWER_URL. Raises DatabaseError, saying what an
    administrator has to run, when the user of COMD_DATABASE_URL may not make roles.
    """
    return grant_role(
        settings, settings.reviewer_url, role=REVIEWER, variable=_VARIABLE, grant=_grant
    )


def _reviewer_url(settings: Settings) -> URL:
    if settings.reviewer_url is not None:
        return given_url(settings.reviewer_url, REVIEWER, _VARIABLE)
    if settings.database_url is not None:
        raise DatabaseError(
            "nobody may write decisions from here: COMD_REVIEWER_URL is not set",
            hint=f"Set it to COMD_DATABASE_URL with the user {REVIEWER} and a password, and run: "
            "comd db grant-reviewer",
        )
    url = database_url(settings)
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        if not _may_review(connection, REVIEWER):
            _grant(connection, REVIEWER, None)
    return url.set(username=REVIEWER)


def _may_review(connection: psycopg.Connection[TupleRow], role: str) -> bool:
    found = connection.execute(
        "SELECT has_column_privilege(oid, 'public.review', 'decision', 'INSERT')"
        " FROM pg_roles WHERE rolname = %s",
        [role],
    ).fetchone()
    return found is not None and bool(found[0])


def _grant(connection: psycopg.Connection[TupleRow], role: str, password: str | None) -> None:
    made_and_granted(
        connection,
        role,
        password,
        settings={"statement_timeout": "10s", "idle_in_transaction_session_timeout": "60s"},
        grants=(
            "GRANT CONNECT ON DATABASE {database} TO {role}",
            "GRANT USAGE ON SCHEMA public TO {role}",
            f"GRANT INSERT ({_COLUMNS}) ON review TO {{role}}",
        ),
    )
