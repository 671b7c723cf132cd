"""The whole way: the command that users start, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import Scheme, chromium, no_trouble, opened, served, settle, shoot
from sqlalchemy import URL

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
        page.goto(f"{address}/{view.path}?run=paper")
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
