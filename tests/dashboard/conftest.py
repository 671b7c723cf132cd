"""The app on real databases: a synthetic one for the session, and empty ones."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import streamlit as st
from sqlalchemy import URL, Engine
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from comd_dashboard import data, launch, reviewing
from comd_platform.db.engine import libpq_url
from comd_platform.db.reviewer import grant_reviewer, reviewer_engine
from comd_platform.settings import Settings, get_settings

SYNTHETIC = Path(__file__).parents[1] / "support" / "synthetic_run.sql"

Open = Callable[[URL], AppTest]
Go = Callable[[AppTest, str], AppTest]


@pytest.fixture(scope="session")
def synthetic(server_url: URL, template_database: str) -> Iterator[URL]:
    """A database with the runs `paper` (done) and `random` (in its third answer phase)."""
    url = server_url.set(database="comd_test_dashboard")
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{url.database}" TEMPLATE "{template_database}"')
        with psycopg.connect(libpq_url(url)) as inside:
            inside.execute("SET comd.instructions = 120")
            inside.execute(SYNTHETIC.read_bytes())
        yield url
        connection.execute(f'DROP DATABASE "{url.database}" WITH (FORCE)')


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Points the process at a database and gives the app, not yet run."""

    def opened(url: URL) -> AppTest:
        monkeypatch.setenv("COMD_DATABASE_URL", libpq_url(url))
        get_settings.cache_clear()
        return AppTest.from_file(str(launch.APP), default_timeout=60)

    yield opened
    data.database().dispose()
    st.cache_resource.clear()
    st.cache_data.clear()
    get_settings.cache_clear()


@pytest.fixture
def reviewer(synthetic: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[URL]:
    """The synthetic database with a role that may add decisions to it; they are gone afterwards."""
    role = f"reviewer_{uuid.uuid4().hex[:8]}"
    url = synthetic.set(username=role, password="p@ss word/1")
    monkeypatch.setenv("COMD_DATABASE_URL", libpq_url(synthetic))
    monkeypatch.setenv("COMD_REVIEWER_URL", libpq_url(url))
    get_settings.cache_clear()
    grant_reviewer(get_settings())
    made: list[Engine] = []

    def remembered(settings: Settings) -> Engine:
        made.append(reviewer_engine(settings))
        return made[-1]

    monkeypatch.setattr(reviewing, "reviewer_engine", remembered)
    yield synthetic
    reviewing.writer.clear()
    for engine in made:
        engine.dispose()
    with psycopg.connect(libpq_url(synthetic), autocommit=True) as connection:
        connection.execute("DELETE FROM review")
        connection.execute(f"DROP OWNED BY {role}")  # ours alone
        connection.execute(f"DROP ROLE {role}")


@pytest.fixture
def go() -> Go:
    """Turns an app to the page of that path, not yet run.

    `AppTest.switch_page` knows pages that are files; ours are functions, known by their path.
    """

    def turned(app: AppTest, path: str) -> AppTest:
        app._page_hash = calc_hash(path)
        return app

    return turned
