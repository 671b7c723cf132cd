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
from made_up_pictures import make_pictures
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
        "browse": "?run=demo-0&band=difficult",
        "instruction": "?run=demo-0&instruction={grown}",
        "review": "?run=demo-0&slice=difficult",
    },
    "half-million": {
        "now": "?run=random",
        "pools": "?run=paper&reason=too+similar",
        "difficulty": "?run=paper&tau=0.25",
        "judge": "?run=paper",
        "progress": "?run=paper",
        "browse": "?run=paper",
        "instruction": "?run=paper&instruction={grown}",
        "review": "?run=paper&slice=quarantined&iteration=1",
    },
}
PAGES = {"now": "", "instruction": "browse"}
"""Of a picture that is not named as its page is."""

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
    with pytest.MonkeyPatch.context() as patch:
        if name == "half-million":
            _as_if_just_now(url)
            pictures = tmp_path_factory.mktemp("pictures")
            make_pictures(pictures, 1, _pictures_of(url))
            patch.setenv("COMD_IMAGES", str(pictures))
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


def _pictures_of(url: URL) -> int:
    """Up to which image the pages below show pictures."""
    with psycopg.connect(libpq_url(url)) as connection:
        row = connection.execute(
            "SELECT image_id FROM instruction WHERE id = %s", [_grown(url)]
        ).fetchone()
    assert row is not None
    return int(row[0])


def _grown(url: URL) -> int:
    """The first instruction with both a parent and a child."""
    with psycopg.connect(libpq_url(url)) as connection:
        row = connection.execute(
            "SELECT min(grown.id) FROM instruction AS grown"
            " JOIN instruction AS child ON child.parent_id = grown.id"
            " JOIN run_iteration ON run_iteration.pool_id = grown.pool_id"
            " WHERE grown.parent_id IS NOT NULL AND run IN ('demo-0', 'paper')"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("path", ADDRESSES["tinyworld"])
def test_picture(look: tuple[str, str, int, Scheme], browser: Browser, path: str) -> None:
    name, address, width, scheme = look
    url = make_url(os.environ[f"COMD_PICTURES_{name.upper().replace('-', '_')}"])
    query = ADDRESSES[name][path]
    with opened(browser, width, scheme) as page:
        if "{grown}" in query:
            query = query.format(grown=_grown(url))
        page.goto(f"{address}/{PAGES.get(path, path)}{query}")
        page.get_by_role("heading", level=2).wait_for(timeout=60_000)
        settle(page, 60_000)
        no_trouble(page)
        shoot(page, f"{path}-{name}-{scheme}", Path(FOLDER or "."))
