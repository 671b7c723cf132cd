"""The whole way: the command that users start, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from browser import Scheme, chromium, find_colour, no_trouble, opened, served, settle, shoot
from sqlalchemy import URL

from comd_dashboard.charts.style import EASY
from comd_dashboard.views import VIEWS
from comd_dashboard.views.view import View

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def address(synthetic: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(synthetic, tmp_path_factory.mktemp("dashboard") / "log") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened(browser) as found:
        yield found


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.path)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1920, "dark")])
def test_every_page_is_drawn_without_trouble(
    address: str, browser: Browser, view: View, width: int, scheme: Scheme, tmp_path: Path
) -> None:
    with opened(browser, width, scheme) as page:
        path = "" if view is VIEWS[0] else view.path  # the first one lives at the root
        page.goto(f"{address}/{path}?run=paper")
        page.get_by_role("heading", level=2).wait_for(timeout=30_000)
        settle(page)
        no_trouble(page)
        assert shoot(page, view.path, tmp_path).stat().st_size > 5_000


def test_another_run_is_picked_and_stays_on_every_page(address: str, page: Page) -> None:
    page.goto(address)
    page.get_by_role("heading", name="random").wait_for(timeout=60_000)
    settle(page)
    assert "run=random" in page.url
    page.get_by_test_id("stSidebar").get_by_test_id("stSelectbox").locator("input").click()
    page.get_by_role("option", name="paper").click()
    page.get_by_test_id("stSidebar").get_by_text("Selection: competitive").wait_for()
    for view in VIEWS[1:]:
        page.get_by_test_id("stSidebarNavItems").get_by_role("link", name=view.title).click()
        page.get_by_role("heading", name=view.title, level=2).wait_for(timeout=30_000)
        settle(page)
        assert f"/{view.path}?run=paper" in page.url
        no_trouble(page)


def test_moving_the_threshold_changes_figures_and_address(address: str, page: Page) -> None:
    page.goto(f"{address}/difficulty?run=paper&iteration=2")
    settle(page)
    difficult = page.get_by_test_id("stMetric").filter(has_text="Difficult").first
    before = difficult.inner_text()
    slider = page.get_by_role("slider")
    for hundredths in range(32, 22, -1):
        slider.press("ArrowLeft")
        page.wait_for_url(f"**tau={hundredths / 100:g}")
    page.get_by_text("At τ = 0.23,").wait_for()
    settle(page)
    assert difficult.inner_text() != before
    no_trouble(page)
    page.goto(page.url)  # the address alone shows the same
    page.get_by_text("At τ = 0.23,").wait_for()


def test_a_square_of_the_score_map_leads_to_its_instructions(address: str, page: Page) -> None:
    page.goto(f"{address}/difficulty?run=paper&iteration=3")
    settle(page)
    chart = page.get_by_test_id("stVegaLiteChart").nth(2)
    chart.scroll_into_view_if_needed()
    x, y = find_colour(chart.screenshot(), EASY)
    chart.click(position={"x": x, "y": y})
    link = page.get_by_role("link", name="All of them")
    link.wait_for()
    told = page.get_by_text("instructions", exact=False).filter(has_text="Teacher ").inner_text()
    settle(page)
    link.click()
    page.get_by_role("heading", name="Browse", level=2).wait_for()
    settle(page)
    ends = parse_qs(urlsplit(page.url).query)
    teacher, student = re.findall(r"(?:Teacher|student) ([\d.]+)", told)
    assert ends["iteration"] == ["3"]
    assert ends["teacher"] == [f"{teacher}-{teacher}"]
    assert ends["student"] == [f"{student}-{student}"]
    no_trouble(page)


def test_the_raw_replies_can_be_paged_and_another_case_chosen(address: str, page: Page) -> None:
    page.goto(f"{address}/judge?run=paper&iteration=3")
    settle(page)
    page.get_by_role("button", name="More").click()
    page.locator("button:not([disabled])", has_text="Back").wait_for()
    settle(page)
    page.get_by_test_id("stMain").get_by_test_id("stSelectbox").locator("input").click()
    page.get_by_role("option", name="one order only").click()
    page.wait_for_url("**pairs=one+order+only**")
    settle(page)
    no_trouble(page)


def test_what_is_drawn_anew_keeps_its_place_and_does_not_fade(address: str, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    page.goto(f"{address}/?run=random")
    settle(page)
    main = page.get_by_test_id("stMain")
    main.evaluate("element => element.scrollTo(0, 300)")
    watched = page.evaluate(
        """() => new Promise(done => {
            let faint = 1, redrawn = 0;
            const now = document.querySelector('.st-key-now');
            new MutationObserver(() => redrawn++).observe(
                now, {subtree: true, childList: true, characterData: true, attributes: true});
            const look = setInterval(() => {
                for (const part of now.querySelectorAll('[data-testid=stElementContainer]'))
                    faint = Math.min(faint, Number(getComputedStyle(part).opacity));
            }, 50);
            setTimeout(() => { clearInterval(look); done({faint, redrawn}); }, 7000);
        })"""
    )
    assert watched["redrawn"] > 0
    assert watched["faint"] == 1
    assert main.evaluate("element => element.scrollTop") == 300
