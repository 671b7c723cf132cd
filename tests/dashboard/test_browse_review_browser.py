"""Browse and Review by hand and by keys, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from browser import chromium, no_trouble, opened, served, settle
from made_up_pictures import make_pictures
from sqlalchemy import URL

from comd_platform.db.engine import libpq_url

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened(browser) as found:
        yield found


@pytest.fixture
def address(reviewer: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A dashboard that may review, and has the pictures of the first instructions."""
    monkeypatch.setenv("COMD_IMAGES", str(tmp_path / "images"))
    monkeypatch.setenv("COMD_HOME", str(tmp_path / "home"))
    make_pictures(tmp_path / "images", 1, 7)
    with served(reviewer, tmp_path / "log") as found:
        yield found


def decisions(url: URL) -> list[tuple[Any, ...]]:
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute("SELECT decision, text FROM review ORDER BY id").fetchall()


def until(page: Page, holds: Callable[[], bool]) -> None:
    for _ in range(150):
        if holds():
            return
        page.wait_for_timeout(100)
    pytest.fail("it did not come about within 15 s")


def test_filter_page_open_and_walk_the_tree(address: str, page: Page) -> None:
    page.goto(f"{address}/browse?run=paper")
    settle(page, 60_000)
    cards = page.locator("button.card")
    assert cards.count() == 24
    picture = cards.first.locator("img")
    until(page, lambda: picture.evaluate("image => image.complete && image.naturalWidth") == 320)

    page.get_by_test_id("stSelectbox").filter(has_text="Band").locator("input").click()
    page.get_by_role("option", name="difficult").click()
    until(page, lambda: "band=difficult" in page.url)
    settle(page)
    assert page.locator("button.card.easy").count() == 0
    first = cards.first.get_attribute("data-id")
    page.get_by_role("button", name="Next").click()
    until(page, lambda: cards.first.get_attribute("data-id") != first)
    page.get_by_role("button", name="Previous").click()
    until(page, lambda: cards.first.get_attribute("data-id") == first)

    cards.first.click()
    page.get_by_text("Why it is here").wait_for()
    settle(page)
    assert f"instruction={first}" in page.url
    assert (
        page.get_by_test_id("stHtml").locator("img").evaluate("image => image.naturalWidth") == 640
    )
    here = page.locator("button.node.here")
    assert here.count() == 1
    child = page.locator("button.node:not(.here)").first
    wanted = child.get_attribute("data-id")
    child.click()
    until(page, lambda: f"instruction={wanted}" in page.url)
    until(page, lambda: here.evaluate_all("all => all.map(one => one.dataset.id)") == [wanted])
    no_trouble(page)
    address_of_it = page.url
    page.get_by_role("button", name="Back to the list").click()
    cards.first.wait_for()
    page.goto(address_of_it)
    settle(page)
    assert here.get_attribute("data-id") == wanted


def test_a_queue_is_worked_by_keys_alone(address: str, page: Page, reviewer: URL) -> None:
    page.goto(f"{address}/review?run=paper&slice=random")
    settle(page, 60_000)
    title = page.get_by_text(re.compile(r"^\d+ of \d+ · in"))

    def at() -> int:
        return int(title.inner_text().split(" ")[0])

    def pressed(key: str, count: int, place: int) -> None:
        page.keyboard.press(key)
        until(page, lambda: len(decisions(reviewer)) == count and at() == place)
        settle(page)

    assert at() == 1
    pressed("a", 1, 2)
    pressed("r", 2, 3)
    pressed("f", 3, 4)
    pressed("ArrowLeft", 3, 3)
    pressed("ArrowRight", 3, 4)
    pressed("u", 4, 3)
    pressed("a", 5, 4)
    assert [row[0] for row in decisions(reviewer)] == ["accept", "reject", "flag", "undo", "accept"]

    page.keyboard.press("e")
    area = page.get_by_label("The instruction as it should be")
    area.wait_for()
    settle(page)
    area.fill("")
    area.press_sequentially("are ufos real?")  # every key of which would decide something
    assert len(decisions(reviewer)) == 5
    page.get_by_role("button", name="Save the correction").click()
    until(page, lambda: len(decisions(reviewer)) == 6)
    assert decisions(reviewer)[-1] == ("edit", "are ufos real?")
    page.get_by_text("4 of").first.wait_for()
    no_trouble(page)


def test_decisions_carry_the_name_that_one_signed_in_by(
    reviewer: URL, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COMD_DASHBOARD_PASSWORD", "correct horse")
    with served(reviewer, tmp_path / "log") as address:
        page.goto(f"{address}/review?run=paper&slice=random")
        assert "/login?next=" in page.url
        page.get_by_label("Your name").fill("Ada <b>Lovelace</b>")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("This is not the password.").wait_for()
        page.get_by_label("Your name").fill("Ada <b>Lovelace</b>")
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Review").wait_for(timeout=60_000)
        settle(page, 60_000)
        assert page.url.endswith("/review?run=paper&slice=random&iteration=3")
        told = page.get_by_text(re.compile("decided by Ada")).inner_text()
        assert told.replace("\u2060", "") == "0 of 324 decided by Ada <b>Lovelace</b>"
        page.keyboard.press("r")
        until(page, lambda: len(decisions(reviewer)) == 1)
    with psycopg.connect(libpq_url(reviewer)) as connection:
        found = connection.execute("SELECT decision, author FROM review").fetchall()
    assert found == [("reject", "Ada <b>Lovelace</b>")]
