"""Reading without the power to write: the role behind the dashboard and behind SQL that a user types.

Three layers, each of which would do alone: a role that owns nothing and may only SELECT, transactions
that are read-only, and a statement timeout. A server of one's own needs `comd db grant-reader` once
for the first of them; without it the other two hold.
"""

from __future__ import annotations

import logging

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from comd_platform.db.engine import DatabaseError, database_url, libpq_url
from comd_platform.settings import Settings

log = logging.getLogger(__name__)

READER = "comd_reader"
STATEMENT_TIMEOUT_S = 30.0


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
            text("SELECT set_config('statement_timeout', :value, true)"), {"value": timeout}
        )

    return engine


def reader_url(settings: Settings) -> URL:
    """Where and as whom to read. On the embedded server the role is made here, if need be."""
    if settings.reader_url is not None:
        return _given(settings.reader_url.get_secret_value())
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
    name, password = READER, None
    if settings.reader_url is not None:
        given = _given(settings.reader_url.get_secret_value())
        name, password = given.username or READER, given.password
    elif settings.database_url is not None:
        raise DatabaseError(
            "COMD_READER_URL is not set",
            hint=f"Set it to COMD_DATABASE_URL with the user {READER} and a password of your "
            "choice; the role is made with both.",
        )
    url = database_url(settings)
    if name == url.username:
        raise DatabaseError(
            f"COMD_READER_URL and COMD_DATABASE_URL name the same user, {name}",
            hint=f"Name another in COMD_READER_URL, {READER} for example: it shall not write.",
        )
    try:
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            _grant(connection, name, str(password) if password else None)
    except (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.ReadOnlySqlTransaction,
    ) as error:
        raise DatabaseError(
            f"{url.username} may not make the role {name}: {error.diag.message_primary}",
            hint=f"Let an administrator run: CREATE ROLE {name} LOGIN PASSWORD '…'; "
            "and then give this command again.",
        ) from error
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"the database cannot be reached: {str(error).splitlines()[0]}",
            hint="Run: comd db status",
        ) from error
    return name


def _given(value: str) -> URL:
    try:
        url = make_url(value)
    except ArgumentError:  # its text may quote the URL, password and all
        raise DatabaseError(
            "COMD_READER_URL is not a URL",
            hint=f"Write it as postgresql://{READER}:password@host:5432/database",
        ) from None
    return url.set(drivername="postgresql+psycopg")


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
    """One transaction, one at a time: two that grant at once would meet in the catalogue."""
    name = sql.Identifier(role)
    database = sql.Identifier(connection.info.dbname)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('comd db grant-reader'))")
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        if known is None:
            log.info("making the role %s, which may read and nothing else", role)
            made = sql.SQL("CREATE ROLE {} LOGIN NOCREATEDB NOCREATEROLE").format(name)
            if password is not None:
                # Hashed here: neither the server's log nor pg_stat_activity ever holds the text.
                hashed = connection.pgconn.encrypt_password(
                    password.encode(), role.encode(), b"scram-sha-256"
                ).decode()
                made += sql.SQL(" PASSWORD {}").format(sql.Literal(hashed))
            connection.execute(made)
            for setting, value in (
                ("default_transaction_read_only", "on"),
                ("statement_timeout", f"{round(STATEMENT_TIMEOUT_S)}s"),
                ("idle_in_transaction_session_timeout", "60s"),
            ):
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(
                        name, sql.Identifier(setting), sql.Literal(value)
                    )
                )
        for grant in (
            "GRANT CONNECT ON DATABASE {database} TO {role}",
            "GRANT USAGE ON SCHEMA public TO {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role}",
        ):
            connection.execute(sql.SQL(grant).format(database=database, role=name))
