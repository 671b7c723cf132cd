"""Roles that may do little: made once, by the owner of the database, named by a URL of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow
from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from comd_platform.db.engine import DatabaseError, database_url, libpq_url
from comd_platform.settings import Settings

log = logging.getLogger(__name__)

Grant = Callable[[psycopg.Connection[TupleRow], str, str | None], None]
"""What makes a role (name, password) and lets it do its little, over the owner's connection."""


def given_url(value: SecretStr, role: str, variable: str) -> URL:
    """The URL that an environment variable holds. Raises DatabaseError, which quotes none of it."""
    try:
        url = make_url(value.get_secret_value())
    except ArgumentError:  # its text may quote the URL, password and all
        raise DatabaseError(
            f"{variable} is not a URL",
            hint=f"Write it as postgresql://{role}:password@host:5432/database",
        ) from None
    return url.set(drivername="postgresql+psycopg")


def grant_role(
    settings: Settings, given: SecretStr | None, *, role: str, variable: str, grant: Grant
) -> str:
    """Make the role that `variable` names (on the embedded server `role`); returns its name.

    Raises DatabaseError, saying what an administrator has to run, when the user of
    COMD_DATABASE_URL may not make roles.
    """
    name, password = role, None
    if given is not None:
        parsed = given_url(given, role, variable)
        name, password = parsed.username or role, parsed.password
    elif settings.database_url is not None:
        raise DatabaseError(
            f"{variable} is not set",
            hint=f"Set it to COMD_DATABASE_URL with the user {role} and a password of your "
            "choice; the role is made with both.",
        )
    url = database_url(settings)
    if name == url.username:
        raise DatabaseError(
            f"{variable} and COMD_DATABASE_URL name the same user, {name}",
            hint=f"Name another in {variable}, {role} for example: it shall not do what an owner may.",
        )
    try:
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            grant(connection, name, str(password) if password else None)
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


def made_and_granted(
    connection: psycopg.Connection[TupleRow],
    role: str,
    password: str | None,
    *,
    settings: Mapping[str, str],
    grants: Iterable[str],
) -> None:
    """Make `role` with its `settings` where it is not there, and give it `grants`, SQL in which
    {role} and {database} stand for the names.

    One transaction, one at a time: two that grant at once would meet in the catalogue.
    """
    name = sql.Identifier(role)
    database = sql.Identifier(connection.info.dbname)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('comd db grant-reader'))")
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        if known is None:
            log.info("making the role %s", role)
            made = sql.SQL("CREATE ROLE {} LOGIN NOCREATEDB NOCREATEROLE").format(name)
            if password is not None:
                # Hashed here: neither the server's log nor pg_stat_activity ever holds the text.
                hashed = connection.pgconn.encrypt_password(
                    password.encode(), role.encode(), b"scram-sha-256"
                ).decode()
                made += sql.SQL(" PASSWORD {}").format(sql.Literal(hashed))
            connection.execute(made)
            for setting, value in settings.items():
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(
                        name, sql.Identifier(setting), sql.Literal(value)
                    )
                )
        for grant in grants:
            connection.execute(sql.SQL(grant).format(database=database, role=name))
