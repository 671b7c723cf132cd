"""The whole way: the command that users start, in a real browser."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import URL

from comd_platform.db.engine import libpq_url

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.full

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
def address(synthetic: URL, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The dashboard, served as `comd dashboard` serves it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("COMD_DATABASE_URL", libpq_url(synthetic))
    log = tmp_path / "dashboard.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "comd_dashboard", str(port)]
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)
        with pytest.raises(ConnectionRefusedError):  # nothing that it started serves on
            socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.fixture
def page() -> Iterator[Page]:
    """A page in a real Chromium; fails the test on any request that leaves this machine."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        opened = browser.new_page(viewport={"width": 1400, "height": 2200})
        outside: list[str] = []
        opened.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))
                else outside.append(request.url)
            ),
        )
        yield opened
        browser.close()
    assert outside == []


def test_the_page_shows_a_run_and_another_one(address: str, page: Page) -> None:
    page.goto(address)
    page.get_by_role("heading", name="random").wait_for(timeout=60_000)
    assert "run=random" in page.url

    page.get_by_test_id("stSidebar").get_by_test_id("stSelectbox").locator("input").click()
    page.get_by_role("option", name="paper").click()
    page.get_by_role("heading", name="paper").wait_for(timeout=60_000)
    page.get_by_test_id("stSidebar").get_by_text("Selection: competitive").wait_for()
    assert "run=paper" in page.url
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlert").count() == 0


def test_a_link_opens_the_run_that_it_names(address: str, page: Page) -> None:
    page.goto(f"{address}/?run=paper")
    page.get_by_role("heading", name="paper").wait_for(timeout=60_000)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text()
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"the dashboard did not come up: {log.read_text()}")
