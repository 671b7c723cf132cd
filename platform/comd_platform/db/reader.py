"""Reading without the power to write: the role behind the dashboard and behind SQL that a user types.

Three layers, each of which would do alone: a role that owns nothing and may only SELECT, transactions
that are read-only, and a statement timeout. A server of one's own needs `comd db grant-reader` once
for the first of them; without it the other two hold.
"""

from __future__ import annotations

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from comd_platform.db.engine import database_url, libpq_url
from comd_platform.db.roles import given_url, grant_role, made_and_granted
from comd_platform.settings import Settings

READER = "comd_reader"
STATEMENT_TIMEOUT_S = 30.0
WORK_MEM = "64MB"
"""For sorts and hash joins over millions of rows; the server's own 4 MB send them to disk."""


def reader_engine(
    settings: Settings, *, statement_timeout_s: float = STATEMENT_TIMEOUT_S, pool_size: int = 5
) -> Engine:
    """An engine whose every transaction is read-only and cancels statements that take longer.

    It speaks as the user of COMD_READER_URL; on the embedded server as `comd_reader`, made when it
    is first needed; else as the user of COMD_DATABASE_URL, where only the transaction protects.
    SQL that somebody typed goes through `one_statement`. Raises DatabaseError, EmbeddedError.
    """
    engine = create_engine(
        reader_url(settings),
        pool_size=pool_size,
        max_overflow=5,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "application_name": "comd reader"},
        execution_options={"postgresql_readonly": True},
    )
    timeout = f"{round(1000 * statement_timeout_s)}ms"

    @event.listens_for(engine, "begin")
    def _limit(connection: Connection) -> None:
        # Through SELECT rather than SET: once a query ran, PostgreSQL refuses to make the
        # transaction writable. Inside the transaction rather than at connecting: poolers allow it.
        connection.execute(
            text(
                "SELECT set_config('statement_timeout', :timeout, true),"
                " set_config('work_mem', :memory, true)"
            ),
            {"timeout": timeout, "memory": WORK_MEM},
        )

    return engine


def reader_url(settings: Settings) -> URL:
    """Where and as whom to read. On the embedded server the role is made here, if need be."""
    if settings.reader_url is not None:
        return given_url(settings.reader_url, READER, "COMD_READER_URL")
    url = database_url(settings)
    if settings.database_url is not None:
        return url
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        if not _may_read(connection, READER):
            _grant(connection, READER, password=None)
    return url.set(username=READER)


def one_statement(
    connection: Connection, statement: str, parameters: dict[str, object] | None = None
) -> psycopg.Cursor[TupleRow]:
    """Run a single statement that somebody typed; several (`…; COMMIT; DELETE …`) are refused.

    `connection` is one of `reader_engine`'s. Parameters are bound, written `%(name)s`; without any
    a percent sign needs no doubling. Raises psycopg.Error with what the server says.
    """
    if not connection.in_transaction():
        connection.begin()  # which sets the timeout
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    # Prepared by the server, which takes one command only, where a plain text may hold many.
    cursor: psycopg.Cursor[TupleRow] = driver.execute(statement.encode(), parameters, prepare=True)
    return cursor


def grant_reader(settings: Settings) -> str:
    """Make the reading role, let it read every present and future table; returns its name.

    Its name and password are those of COMD_READER_URL, on the embedded server `comd_reader` without
    one. A role that is there keeps its password. Raises DatabaseError, saying what an administrator
    has to run, when the user of COMD_DATABASE_URL may not make roles.
    """
    return grant_role(
        settings, settings.reader_url, role=READER, variable="COMD_READER_URL", grant=_grant
    )


def _may_read(connection: psycopg.Connection[TupleRow], role: str) -> bool:
    """Whether `role` exists and was granted what there is and what will be in this database."""
    found = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_roles r JOIN pg_default_acl d"
        "   ON d.defaclrole = current_user::regrole AND d.defaclobjtype = 'r'"
        "  AND d.defaclnamespace = 'public'::regnamespace"
        "  JOIN LATERAL aclexplode(d.defaclacl) a ON a.grantee = r.oid"
        "  WHERE r.rolname = %s)",
        [role],
    ).fetchone()
    return found is not None and bool(found[0])


def _grant(connection: psycopg.Connection[TupleRow], role: str, password: str | None) -> None:
    made_and_granted(
        connection,
        role,
        password,
        settings={
            "default_transaction_read_only": "on",
            "statement_timeout": f"{round(STATEMENT_TIMEOUT_S)}s",
            "idle_in_transaction_session_timeout": "60s",
        },
        grants=(
            "GRANT CONNECT ON DATABASE {database} TO {role}",
            "GRANT USAGE ON SCHEMA public TO {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role}",
        ),
    )
