"""The pictures in the documentation: every page over a real small run and a made-up big one.

`make pictures` names the folder and the two databases: COMD_PICTURES, COMD_PICTURES_TINYWORLD (where
`comd demo` has run) and COMD_PICTURES_HALF_MILLION (filled by tests/support/synthetic_run.sql).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from browser import Scheme, chromium, no_trouble, opened, served, settle, shoot
from sqlalchemy import URL, make_url

from comd_platform.db.engine import libpq_url

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOLDER = os.environ.get("COMD_PICTURES")
ADDRESSES = {
    "tinyworld": {
        "now": "?run=demo-0",
        "pools": "?run=demo-0&reason=not+diverse",
        "difficulty": "?run=demo-0",
        "judge": "?run=demo-0",
        "progress": "?run=demo-0&with=demo-0-random&with=demo-0-seed-only",
    },
    "half-million": {
        "now": "?run=random",
        "pools": "?run=paper&reason=too+similar",
        "difficulty": "?run=paper&tau=0.25",
        "judge": "?run=paper",
        "progress": "?run=paper",
    },
}
LOOKS: tuple[tuple[str, int, Scheme], ...] = (
    ("tinyworld", 1280, "light"),
    ("half-million", 1920, "dark"),
)

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(FOLDER is None, reason="COMD_PICTURES names no folder; see the docstring"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module", params=LOOKS, ids=lambda look: look[0])
def look(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, int, Scheme]]:
    """A run's name, the address of a dashboard that shows it, and how to look at it."""
    name, width, scheme = request.param
    url = make_url(os.environ[f"COMD_PICTURES_{name.upper().replace('-', '_')}"])
    if name == "half-million":
        _as_if_just_now(url)
    with served(url, tmp_path_factory.mktemp(name) / "log") as address:
        yield name, address, width, scheme


def _as_if_just_now(url: URL) -> None:
    """The made-up run's phase at work and its workers, moved to this moment."""
    with psycopg.connect(libpq_url(url)) as connection:
        connection.execute(
            "UPDATE worker SET started_at = now() - interval '2 h', heartbeat_at = now()"
            " - interval '1 s' * id, memory_bytes = (4 + id) * 1200000000,"
            " device_bytes = CASE WHEN device LIKE 'cuda%' THEN (9 + id) * 2300000000 END"
        )
        connection.execute(
            "UPDATE iteration_phase SET started_at = now() - interval '24 min'"
            " WHERE finished_at IS NULL"
        )
        connection.execute(
            "UPDATE work_item SET lease_expires_at = now() + interval '1 h' WHERE state = 'leased'"
        )


@pytest.mark.parametrize("path", ADDRESSES["tinyworld"])
def test_picture(look: tuple[str, str, int, Scheme], browser: Browser, path: str) -> None:
    name, address, width, scheme = look
    with opened(browser, width, scheme) as page:
        page.goto(f"{address}/{'' if path == 'now' else path}{ADDRESSES[name][path]}")
        page.get_by_role("heading", level=2).wait_for(timeout=60_000)
        settle(page, 60_000)
        no_trouble(page)
        shoot(page, f"{path}-{name}-{scheme}", Path(FOLDER or "."))
