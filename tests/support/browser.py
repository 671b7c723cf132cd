"""The dashboard as `comd dashboard` serves it, a real Chromium to look at it, and its pictures."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import URL

from comd_platform.db.engine import libpq_url

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]

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
OURS = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")

# Where the script of the page runs no more, no element waits to be drawn anew, and every chart is.
SETTLED = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    if (!app || app.getAttribute('data-test-script-state') !== 'notRunning') return false;
    if (document.querySelector('[data-testid=stSkeleton], [data-testid=stSpinner]')) return false;
    if (document.querySelector('[data-stale=true]')) return false;
    const charts = [...document.querySelectorAll('[data-testid=stVegaLiteChart]')];
    return charts.every(chart => chart.querySelector('canvas.marks, svg.marks'));
}"""


@contextmanager
def served(url: URL, log: Path, *flags: str) -> Iterator[str]:
    """The address of a dashboard over the database `url`; ended, and seen to be, at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"COMD_DATABASE_URL": libpq_url(url)}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "comd_dashboard", str(port), *flags]
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)
        with pytest.raises(ConnectionRefusedError):  # nothing that it started serves on
            socket.create_connection(("127.0.0.1", port), timeout=5)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium of this machine; skips the test where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, width: int = 1280, scheme: Scheme = "light") -> Iterator[Page]:
    """A page of its own; fails on any request that leaves this machine, and on errors in the page."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    outside: list[str] = []
    broken: list[str] = []
    page.on("request", lambda r: None if r.url.startswith(OURS) else outside.append(r.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    yield page
    context.close()
    assert outside == []
    assert broken == []


def settle(page: Page, timeout: float = 30_000) -> None:
    """Wait until the page is drawn and stays so."""
    page.wait_for_function(SETTLED, timeout=timeout)
    page.wait_for_timeout(150)
    page.wait_for_function(SETTLED, timeout=timeout)


def no_trouble(page: Page) -> None:
    """Nothing on the page is an exception or an error, and nothing reaches beyond its width."""
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlert").count() == 0, page.get_by_test_id("stAlert").inner_text()
    wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0


def find_colour(picture: bytes, colour: str) -> tuple[float, float]:
    """Where in a picture of the page a square of that colour has its middle. Fails where none has."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    wanted = tuple(int(colour[n : n + 2], 16) for n in (1, 3, 5))
    pixels = image.load()
    assert pixels is not None
    for x in range(6, image.width - 6, 2):
        for y in range(6, image.height - 6, 2):
            if all(pixels[x + a, y + b] == wanted for a in (-4, 0, 4) for b in (-4, 0, 4)):
                return float(x), float(y)
    pytest.fail(f"nothing is {colour}")


def shoot(page: Page, name: str, folder: Path) -> Path:
    """The whole page as `folder/name.png`, in 256 colours: small, and of flat colours no worse."""
    settle(page)
    tall = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": max(700, int(tall))})
    settle(page)
    page.mouse.move(0, 0)
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    page.set_viewport_size(size)
    path = folder / f"{name}.png"
    folder.mkdir(parents=True, exist_ok=True)
    _few_colours(picture).save(path, optimize=True)
    return path


def _few_colours(picture: Image.Image) -> Image.Image:
    """The 256 commonest colours as they are, the rest as the nearest of them.

    Pillow's own palettes tint large areas, take two whites for one, or give a thin line's colour away;
    they are left to choose where photographs take up too much of the page for that.
    """
    dots = np.asarray(picture, dtype=np.int32)
    colours, place, number = np.unique(
        dots.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    commonest = np.argsort(-number)[:256]
    if number[commonest].sum() < 0.985 * number.sum():
        return picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE)
    kept = colours[commonest]
    nearest = np.array([((kept - colour) ** 2).sum(axis=1).argmin() for colour in colours])
    indexed = nearest[place].astype(np.uint8).reshape(dots.shape[:2])
    few = Image.fromarray(indexed, mode="P")
    few.putpalette(kept.astype(np.uint8).tobytes())
    return few


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
