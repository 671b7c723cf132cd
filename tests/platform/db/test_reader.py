"""Nobody writes through the reading role, whatever they type; shown on real servers."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import URL, Engine, make_url, text
from sqlalchemy.exc import InternalError, OperationalError, ProgrammingError

import comd_migrations
from comd_platform.db.embedded import EmbeddedPostgres
from comd_platform.db.engine import DatabaseError, database_url, libpq_url, make_engine
from comd_platform.db.reader import READER, grant_reader, one_statement, reader_engine, reader_url
from comd_platform.settings import Settings

WRITES = (
    "DELETE FROM run",
    "INSERT INTO benchmark (name, kind, metric, fingerprint) VALUES ('a', 'b', 'c', 'd')",
    "CREATE TABLE mine AS SELECT 1",
    "CREATE TEMPORARY TABLE mine AS SELECT 1",
    "TRUNCATE run",
    "DO $$ BEGIN DELETE FROM run; END $$",
    "WITH gone AS (DELETE FROM run RETURNING id) SELECT * FROM gone",
    "ALTER ROLE comd_reader SUPERUSER",
    "COPY run FROM PROGRAM 'true'",
)
WAYS_OUT = (
    "SET TRANSACTION READ WRITE",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "RESET ROLE; DELETE FROM run",
    "SELECT 1; COMMIT; DELETE FROM run",
    "ROLLBACK; DELETE FROM run",
)


@pytest.fixture
def own_server(settings: Settings) -> Iterator[Settings]:
    """As with a managed server: its owner in COMD_DATABASE_URL, a reader with a password of its own."""
    role = f"reader_{uuid.uuid4().hex[:8]}"
    url = database_url(settings)
    reader = url.set(username=role, password="p@ss word/1")  # as awkward as passwords are
    yield settings.model_copy(update={"reader_url": SecretStr(libpq_url(reader))})
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            connection.execute(f"DROP OWNED BY {role}")  # ours alone
            connection.execute(f"DROP ROLE {role}")


@pytest.fixture(params=["without a role", "with a role"])
def reader(request: pytest.FixtureRequest, own_server: Settings) -> Iterator[Engine]:
    if request.param == "with a role":
        grant_reader(own_server)
        used = own_server
    else:
        used = own_server.model_copy(update={"reader_url": None})
    engine = reader_engine(used)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("statement", WRITES)
def test_nothing_is_written(reader: Engine, statement: str) -> None:
    with (
        reader.connect() as connection,
        pytest.raises((InternalError, ProgrammingError)),
    ):
        connection.execute(text(statement))
    with reader.connect() as connection, pytest.raises(psycopg.Error):
        one_statement(connection, statement)


@pytest.mark.parametrize("statement", WAYS_OUT)
def test_there_is_no_way_out_of_the_transaction(reader: Engine, statement: str) -> None:
    with reader.connect() as connection, pytest.raises(psycopg.Error):
        one_statement(connection, statement)


def test_a_statement_that_takes_too_long_is_cancelled(settings: Settings) -> None:
    engine = reader_engine(settings, statement_timeout_s=0.2)
    with engine.connect() as connection, pytest.raises(OperationalError, match="statement timeout"):
        connection.execute(text("SELECT pg_sleep(60)"))
    with engine.connect() as connection, pytest.raises(psycopg.errors.QueryCanceled):
        one_statement(connection, "SELECT pg_sleep(60)")
    engine.dispose()


def test_one_statement_reads_with_and_without_parameters(reader: Engine) -> None:
    with reader.connect() as connection:
        assert one_statement(connection, "SELECT '5%' || 's'").fetchall() == [("5%s",)]
        bound = one_statement(
            connection, "SELECT %(name)s::text", {"name": "'; DROP TABLE run; --"}
        )
        assert bound.fetchall() == [("'; DROP TABLE run; --",)]
        assert one_statement(connection, "SHOW transaction_read_only").fetchall() == [("on",)]
        assert one_statement(connection, "EXPLAIN SELECT 1").fetchall()


def test_a_role_is_made_once_and_reads_what_comes_later(own_server: Settings) -> None:
    assert grant_reader(own_server) == grant_reader(own_server)
    owner = make_engine(database_url(own_server))
    with owner.begin() as connection:
        connection.execute(text("CREATE TABLE made_later AS SELECT 1 AS a"))
        # SCRAM where the server keeps passwords: the role's text is nowhere.
        kept = connection.execute(
            text(
                "SELECT rolpassword, rolsuper, rolcreatedb, rolcreaterole FROM pg_authid"
                " WHERE rolname = :name"
            ),
            {"name": reader_url(own_server).username},
        ).one()
        assert kept[0].startswith("SCRAM-SHA-256$")
        assert tuple(kept[1:]) == (False, False, False)
    owner.dispose()
    engine = reader_engine(own_server)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT a FROM made_later")).scalar() == 1
        assert connection.execute(text("SELECT count(*) FROM lineage")).scalar() == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            one_statement(connection, "SELECT rolpassword FROM pg_authid")
    engine.dispose()


def test_what_is_missing_is_said(settings: Settings) -> None:
    with pytest.raises(DatabaseError, match="COMD_READER_URL is not set") as error:
        grant_reader(settings)
    assert error.value.hint is not None
    same = settings.model_copy(update={"reader_url": settings.database_url})
    with pytest.raises(DatabaseError, match="name the same user"):
        grant_reader(same)
    broken = settings.model_copy(update={"reader_url": SecretStr("secret password, not a URL")})
    with pytest.raises(DatabaseError, match="COMD_READER_URL is not a URL") as error:
        reader_engine(broken)
    assert "secret" not in str(error.value)


def test_a_user_who_may_not_make_roles_is_told_what_to_ask_for(own_server: Settings) -> None:
    grant_reader(own_server)
    assert own_server.reader_url is not None
    other = URL.create("postgresql", username="somebody", host="h", database="d")
    powerless = Settings(database_url=own_server.reader_url, reader_url=SecretStr(str(other)))
    with pytest.raises(DatabaseError, match="may not make the role somebody") as error:
        grant_reader(powerless)
    assert "p@ss" not in str(error.value)
    assert error.value.hint is not None
    assert error.value.hint.startswith("Let an administrator run: CREATE ROLE somebody")


@given(password=st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1))
def test_whatever_the_password_libpq_reads_the_url(password: str) -> None:
    url = URL.create(
        "postgresql+psycopg", "u", password, "h", 5432, "d", query={"options": "-c a=b+c"}
    )
    read = conninfo_to_dict(libpq_url(url))
    assert read["password"] == password
    assert read["options"] == "-c a=b+c"
    assert make_url(libpq_url(url)).password == password


def test_the_embedded_server_needs_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="comd-reader-") as home:
        Path(home).chmod(0o711)  # root's PostgreSQL runs as another user
        settings = Settings(home=Path(home), database_url=None, reader_url=None)
        try:
            engine = reader_engine(settings)  # even before there is a schema
            owner = make_engine(database_url(settings))
            comd_migrations.upgrade(owner)
            comd_migrations.downgrade(owner, "base")
            comd_migrations.upgrade(owner)
            owner.dispose()
            with engine.connect() as connection:
                assert connection.execute(text("SELECT current_user")).scalar() == READER
                assert connection.execute(text("SELECT count(*) FROM run")).scalar() == 0
            # Not even who leaves the transaction behind: it is the role that may not.
            with psycopg.connect(libpq_url(reader_url(settings)), autocommit=True) as free:
                free.execute("SET default_transaction_read_only = off")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    free.execute("DELETE FROM run")
            engine.dispose()
        finally:
            EmbeddedPostgres(Path(home)).stop()
