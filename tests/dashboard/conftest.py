"""The app on real databases: a synthetic one for the session, and empty ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import streamlit as st
from sqlalchemy import URL
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from comd_dashboard import data, launch
from comd_platform.db.engine import libpq_url
from comd_platform.settings import get_settings

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
def go() -> Go:
    """Turns an app to the page of that path, not yet run.

    `AppTest.switch_page` knows pages that are files; ours are functions, known by their path.
    """

    def turned(app: AppTest, path: str) -> AppTest:
        app._page_hash = calc_hash(path)
        return app

    return turned
