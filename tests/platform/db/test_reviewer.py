"""The reviewing role adds decisions and does nothing else; shown on a real server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError
from toy_world import import_toy_world

from comd_platform.db.engine import DatabaseError, database_url, libpq_url, transaction
from comd_platform.db.reviewer import grant_reviewer, reviewer_engine
from comd_platform.review import Decision, record
from comd_platform.settings import Settings

REFUSED = (
    "SELECT * FROM review",
    "SELECT * FROM instruction",
    "SELECT * FROM reviewed_instruction",
    "INSERT INTO review (instruction_id, decision, author) VALUES (1, 'accept', 'x') RETURNING id",
    "INSERT INTO review (instruction_id, decision, author, created_at)"
    " VALUES (1, 'accept', 'x', '2000-01-01')",
    "INSERT INTO review (id, instruction_id, decision, author) VALUES (9, 1, 'accept', 'x')",
    "UPDATE review SET decision = 'accept'",
    "DELETE FROM review",
    "TRUNCATE review",
    "INSERT INTO pool (name, origin) VALUES ('mine', 'import')",
    "UPDATE instruction SET text = 'x'",
    "INSERT INTO honoured_review VALUES (1, 1, 1)",
    "CREATE TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "COPY review FROM PROGRAM 'true'",
    "SELECT setval(pg_get_serial_sequence('review', 'id'), 1)",
)


@pytest.fixture
def granted(engine: Engine, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A server of one's own with a reviewer of another name and an awkward password."""
    import_toy_world(engine, settings, tmp_path / "toy", pictures=1)
    role = f"reviewer_{uuid.uuid4().hex[:8]}"
    owner = database_url(settings)
    url = owner.set(username=role, password="p@ss word/1")
    known = settings.model_copy(update={"reviewer_url": SecretStr(libpq_url(url))})
    assert grant_reviewer(known) == role
    yield known
    with psycopg.connect(libpq_url(owner), autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role}")  # ours alone
        connection.execute(f"DROP ROLE {role}")


def test_it_adds_decisions(granted: Settings, engine: Engine) -> None:
    assert grant_reviewer(granted)  # twice does no harm
    reviewer = reviewer_engine(granted)
    with transaction(reviewer) as session:
        record(session, Decision(1, "edit", "ada", text="Which one?", note="clearer"))
    with transaction(reviewer) as session:
        record(session, Decision(1, "undo", "ada", undoes_id=1))
    reviewer.dispose()
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT id, decision, author FROM review ORDER BY id")
        ).all()
    assert [tuple(row) for row in found] == [(1, "edit", "ada"), (2, "undo", "ada")]


@pytest.mark.parametrize("statement", REFUSED)
def test_it_does_nothing_else(granted: Settings, statement: str) -> None:
    reviewer = reviewer_engine(granted)
    with reviewer.connect() as connection, pytest.raises(ProgrammingError) as error:
        connection.execute(text(statement))
    reviewer.dispose()
    refusal = error.value.__cause__ or getattr(error.value, "orig", None)
    assert isinstance(refusal, psycopg.errors.InsufficientPrivilege), statement


def test_without_a_reviewer_nobody_writes_as_the_owner(settings: Settings) -> None:
    with pytest.raises(DatabaseError, match="COMD_REVIEWER_URL is not set") as error:
        reviewer_engine(settings)
    assert "comd db grant-reviewer" in str(error.value.hint)


def test_on_the_embedded_server_the_role_makes_itself(tmp_path: Path) -> None:
    import tempfile

    import comd_migrations
    from comd_platform.db.embedded import EmbeddedPostgres
    from comd_platform.db.engine import make_engine

    with tempfile.TemporaryDirectory(prefix="comd-test-reviewer-") as home:
        Path(home).chmod(0o711)
        settings = Settings(home=Path(home))
        url = database_url(settings)
        try:
            engine = make_engine(url)
            comd_migrations.upgrade(engine)
            import_toy_world(engine, settings, tmp_path / "toy", pictures=1)
            reviewer = reviewer_engine(settings)
            with transaction(reviewer) as session:
                record(session, Decision(1, "reject", "ada"))
            with reviewer.connect() as connection, pytest.raises(Exception, match="permission"):
                connection.execute(text("SELECT * FROM review"))
            reviewer.dispose()
            engine.dispose()
        finally:
            EmbeddedPostgres(Path(home)).stop()
