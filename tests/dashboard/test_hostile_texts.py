"""Hostile texts on every page: they are shown, and nothing is done for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hostile_run import RUN, poison
from hostile_texts import HOSTILE, OUTSIDE
from sqlalchemy import URL
from streamlit.testing.v1 import AppTest

from comd_dashboard.views import VIEWS
from comd_dashboard.views.view import View
from comd_platform.db.engine import libpq_url
from comd_platform.plain import plain

Open = Callable[[URL], AppTest]
Go = Callable[[AppTest, str], AppTest]

SYNTHETIC = Path(__file__).parents[1] / "support" / "synthetic_run.sql"

# What would be read as markup, where Streamlit reads Markdown. Backslashes and U+2060 part the rest.
_MARKUP = re.compile(
    r"(?<!\\)<(script|img|svg|b>|iframe)|\]\(|:material/delete|:smile:|:red\[|https?://|"
    r"(?<!\\)\$|www\.|@hostile|\*\*bold|&lt;"
)


@pytest.fixture(scope="module")
def poisoned(server_url: URL, template_database: str) -> Iterator[URL]:
    url = server_url.set(database="comd_test_hostile")
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{url.database}" TEMPLATE "{template_database}"')
        with psycopg.connect(libpq_url(url)) as inside:
            inside.execute("SET comd.instructions = 60")
            inside.execute(SYNTHETIC.read_bytes())
            poison(inside)
        yield url
        connection.execute(f'DROP DATABASE "{url.database}" WITH (FORCE)')


def _markdown(app: AppTest) -> Iterator[tuple[str, str]]:
    """What Streamlit draws as Markdown: bodies, and labels of what can be pressed or chosen."""
    for kind in ("markdown", "caption", "header", "subheader", "title", "error", "warning", "info"):
        for element in app.get(kind):
            yield kind, str(getattr(element, "value", ""))
    for kind in ("button", "selectbox", "multiselect", "text_input", "slider", "button_group"):
        for element in app.get(kind):
            yield f"label of {kind}", str(getattr(element, "label", ""))
    for group in app.get("button_group"):
        for option in group.proto.options:
            yield "option", option.content
    for metric in app.metric:
        yield "metric", f"{metric.label} {metric.value} {metric.delta}"
    for expander in app.expander:
        yield "expander", expander.label


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.path)
def test_no_page_reads_them_as_markup(open_app: Open, go: Go, poisoned: URL, view: View) -> None:
    for run in (RUN, "random"):
        app = go(open_app(poisoned), view.path)
        app.query_params["run"] = run
        app.run()
        assert not app.exception, [e.value for e in app.exception]
        assert app.sidebar.selectbox(key="run").value == run
        for kind, value in _markdown(app):
            assert not _MARKUP.search(value), (kind, value[:300])


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_an_instruction_shows_as_the_text_that_it_is(
    open_app: Open, go: Go, poisoned: URL, name: str
) -> None:
    with psycopg.connect(libpq_url(poisoned)) as connection:
        found = connection.execute(
            "SELECT min(id) FROM instruction WHERE text = %s", [HOSTILE[name]]
        ).fetchone()
    assert found is not None
    app = go(open_app(poisoned), "browse")
    app.query_params["run"] = RUN
    app.query_params["instruction"] = str(found[0])
    app.run()
    assert not app.exception, [e.value for e in app.exception]
    shown = [code for code in app.code if code.value == plain(HOSTILE[name])]
    assert shown
    assert all(code.language in {None, "", "plaintext"} for code in app.code)
    for kind, value in _markdown(app):
        assert not _MARKUP.search(value), (kind, value[:300])


@pytest.mark.full
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.path)
def test_a_browser_loads_nothing_and_asks_nothing_for_them(
    poisoned: URL, tmp_path_factory: pytest.TempPathFactory, view: View
) -> None:
    from browser import chromium, opened, served, settle

    log = tmp_path_factory.mktemp("hostile") / "log"
    with served(poisoned, log) as address, chromium() as browser, opened(browser) as page:
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        paths = {view.path: ""}
        if view.path == "browse":
            with psycopg.connect(libpq_url(poisoned)) as connection:
                ids = connection.execute(
                    "SELECT id, text FROM instruction ORDER BY id LIMIT %s", [len(HOSTILE)]
                ).fetchall()
            paths |= {f"browse?instruction={one}": str(text) for one, text in ids}
        for path, text in paths.items():
            page.goto(f"{address}/{path}")
            settle(page, 60_000)
            if text:  # to be read, letter by letter
                assert page.locator("[data-testid=stCode] code").first.text_content() == plain(text)
            body = page.locator("[data-testid=stMain]")
            assert body.locator("[href*=hostile], [src*=hostile], iframe, script").count() == 0
            assert body.locator(".katex, [data-testid=stAlert]").count() == 0
            assert body.get_by_role("heading", name="loud").count() == 0
        assert dialogs == []


def test_the_list_would_be_noticed(poisoned: URL) -> None:
    """The pattern and the rows of this file do what they are for."""
    assert _MARKUP.search(HOSTILE["script"])
    assert _MARKUP.search(HOSTILE["markdown link"])
    assert OUTSIDE in HOSTILE["markdown image"]
    with psycopg.connect(libpq_url(poisoned)) as connection:
        row = connection.execute("SELECT count(DISTINCT text) FROM instruction").fetchone()
    assert row is not None
    assert row[0] >= len(HOSTILE)
