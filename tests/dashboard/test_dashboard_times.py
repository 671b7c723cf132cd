"""How long the pages of a big run take in a browser: `make pictures` writes docs/dashboard-times.md.

Nothing is asserted about the times. COMD_PICTURES_HALF_MILLION names the database.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import SETTLED, chromium, find_colour, opened, served, settle
from sqlalchemy import create_engine, make_url, text

from comd_dashboard.charts.style import EASY

if TYPE_CHECKING:
    from playwright.sync_api import Page

DATABASE = os.environ.get("COMD_PICTURES_HALF_MILLION")
PAGE = Path(__file__).parents[2] / "docs" / "dashboard-times.md"
ROUNDS = 3
STALE_SECONDS = 6
"""After so long a page asks its reports again."""

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(DATABASE is None, reason="COMD_PICTURES_HALF_MILLION names no database"),
]

TOLD = """\
# How long the dashboard's pages take

Measured on {date} on {machine} (load of the last minute: {load:.1f}), server, PostgreSQL and Chromium on
the same machine, by `make pictures`: from the click until the last chart is drawn and the script of the
page is done, medians of {rounds}. The made-up run assesses {instructions:,} instructions. Every page was
opened in a new browser context, with Streamlit's own files loaded again, and its reports asked anew.

| | seconds |
|---|---|
{lines}
"""


def _slide(page: Page) -> None:
    page.get_by_role("slider").press("ArrowLeft")
    page.get_by_text("At τ = 0.32,").wait_for()


def _square(page: Page) -> None:
    chart = page.get_by_test_id("stVegaLiteChart").nth(2)
    x, y = find_colour(chart.screenshot(), EASY)
    chart.click(position={"x": x, "y": y})
    page.get_by_role("link", name="All of them").wait_for()


def _iteration(page: Page) -> None:
    page.get_by_role("radio", name="2").click()
    page.wait_for_url("**iteration=2**")


def _more(page: Page) -> None:
    page.get_by_role("button", name="More").click()
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=stButton] button:disabled')"
    )


VISITS: dict[str, dict[str, Callable[[Page], None]]] = {
    "now": {},
    "pools": {},
    "difficulty": {
        "Difficulty: move τ": _slide,
        "Difficulty: click a square": _square,
        "Difficulty: another iteration": _iteration,
    },
    "judge": {"Judge: more replies": _more},
    "progress": {},
    "browse": {},
    "review": {},
}


@pytest.mark.timeout(1800)
def test_times_are_taken(tmp_path: Path) -> None:
    url = make_url(DATABASE or "").set(drivername="postgresql+psycopg")
    times: dict[str, list[float]] = {}
    with served(url, tmp_path / "log") as address, chromium() as browser:
        for _ in range(ROUNDS):
            for path, actions in VISITS.items():
                time.sleep(STALE_SECONDS)
                with opened(browser) as page:
                    there = f"{address}/{'' if path == 'now' else path}?run=paper"
                    taken = _until_drawn(page, lambda page=page, to=there: page.goto(to))
                    times.setdefault(f"open {path.capitalize()}", []).append(taken)
                    settle(page)
                    for what, act in actions.items():
                        taken = _until_drawn(page, lambda page=page, act=act: act(page))
                        times.setdefault(what, []).append(taken)
    assert all(len(found) == ROUNDS for found in times.values())
    engine = create_engine(url)
    with engine.connect() as connection:
        assessed = connection.execute(
            text("SELECT max(n) FROM (SELECT count(*) AS n FROM assessment GROUP BY iteration_id)")
        ).scalar_one()
    engine.dispose()
    PAGE.write_text(
        TOLD.format(
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            machine=f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
            load=os.getloadavg()[0],
            rounds=ROUNDS,
            instructions=assessed,
            lines="\n".join(
                f"| {what} | {statistics.median(found):.2f} |" for what, found in times.items()
            ),
        )
    )


def _until_drawn(page: Page, act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    page.get_by_role("heading", level=2).wait_for(timeout=60_000)
    page.wait_for_function(SETTLED, timeout=60_000)
    return time.perf_counter() - began
