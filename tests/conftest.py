"""What every test may use: a real PostgreSQL, a fresh migrated database, the shared inputs."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import URL, Engine, make_url

from comd_migrations import upgrade
from comd_platform.db.embedded import EmbeddedPostgres
from comd_platform.db.engine import libpq_url, make_engine
from comd_platform.settings import Settings, get_settings

# A busy machine must not fail a property: no test asserts a time.
hypothesis.settings.register_profile("comd", deadline=None)
hypothesis.settings.load_profile("comd")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real inputs that lie beside the project on some machines; tests that need them skip without."""
    if not SHARED.is_dir():
        pytest.skip(f"no real inputs at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[URL]:
    """A PostgreSQL server for the session: COMD_TEST_DATABASE_URL, or an embedded one of its own."""
    given = os.environ.get("COMD_TEST_DATABASE_URL")
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    # Not pytest's own directory: root's PostgreSQL user could not enter it.
    with tempfile.TemporaryDirectory(prefix=f"comd-test-{worker_id}-") as home:
        Path(home).chmod(0o711)
        server = EmbeddedPostgres(Path(home))
        server.start()
        yield make_url(server.url("postgres")).set(drivername="postgresql+psycopg")
        server.stop()


@pytest.fixture(scope="session")
def template_database(server_url: URL) -> str:
    """The name of a migrated database from which each test's own is copied."""
    name = f"comd_template_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    engine = make_engine(server_url.set(database=name))
    upgrade(engine)
    engine.dispose()
    return name


@pytest.fixture
def empty_database(server_url: URL) -> Iterator[URL]:
    """A database without any schema."""
    yield from _database(server_url, "template0")


@pytest.fixture
def database(server_url: URL, template_database: str) -> Iterator[URL]:
    """A fresh database at the newest migration, dropped afterwards."""
    yield from _database(server_url, template_database)


@pytest.fixture
def other_database(server_url: URL, template_database: str) -> Iterator[URL]:
    """Another one like it: somebody else's."""
    yield from _database(server_url, template_database)


@pytest.fixture
def engine(database: URL) -> Iterator[Engine]:
    """An engine on the test's own database."""
    made = make_engine(database)
    yield made
    made.dispose()


@pytest.fixture
def settings(database: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings as a user would have them: own home, own database; also in the environment."""
    monkeypatch.setenv("COMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COMD_DATABASE_URL", libpq_url(database))
    monkeypatch.delenv("COMD_BROKER_URL", raising=False)
    get_settings.cache_clear()
    yield Settings(home=tmp_path / "home", database_url=SecretStr(libpq_url(database)))
    get_settings.cache_clear()


def _database(server_url: URL, template: str) -> Iterator[URL]:
    name = f"comd_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield server_url.set(database=name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
