"""Widgets and the address, in step both ways, across pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from comd_dashboard import address

Go = Callable[[AppTest, str], AppTest]


def _app() -> None:
    import streamlit as st

    from comd_dashboard import address

    def first() -> None:
        newest = 3 if run != "old" else 1
        iterations = list(range(1, newest + 1))
        iteration = address.choice(
            "Iteration", iterations, "iteration", default=newest, look="segments", follow=True
        )
        tau = address.number("τ", 0.0, 1.0, "tau", default=0.33, step=0.01)
        st.text(f"first {run} {iteration!r} {tau:g} {others}")

    def second() -> None:
        words = address.text("Search", "q")
        scores = address.span("Scores", 1.0, 10.0, "scores", step=0.5)
        opened = address.held("instruction", int, 0)
        if st.button("Open 7"):
            address.hold("instruction", 7)
            st.rerun()
        st.text(f"second {run} {words!r} {scores} {opened}")

    page = st.navigation([st.Page(first, url_path="first"), st.Page(second, url_path="second")])
    run = address.choice("Run", ["new", "middle", "old"], "run")
    others = address.choices("Compare", ["new", "middle", "old"], "with")
    page.run()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(_app, default_timeout=20)


def _told(app: AppTest) -> str:
    assert not app.exception, [error.value for error in app.exception]
    return str(app.text[0].value)


def test_what_one_looks_at_is_always_told_and_defaults_elsewhere_are_not(app: AppTest) -> None:
    app.run()
    assert _told(app) == "first new 3 0.33 []"
    assert app.query_params == {"run": "new", "iteration": "3"}


def test_widgets_change_the_address(app: AppTest) -> None:
    app.run()
    app.selectbox(key="run").select("middle").run()
    app.slider(key="tau").set_value(0.5).run()
    app.button_group(key="iteration").select("2").run()
    app.multiselect(key="with").select("old").run()
    app.multiselect(key="with").select("new").run()
    assert _told(app) == "first middle 2 0.5 ['old', 'new']"
    assert app.query_params == {
        "run": "middle",
        "iteration": "2",
        "tau": "0.5",
        "with": ["old", "new"],
    }


def test_the_address_sets_the_widgets(app: AppTest) -> None:
    app.query_params = {"run": "middle", "iteration": "2", "tau": "0.4", "with": ["new", "old"]}
    app.run()
    assert _told(app) == "first middle 2 0.4 ['new', 'old']"
    app.run()
    assert _told(app) == "first middle 2 0.4 ['new', 'old']"


def test_a_changed_address_changes_a_page_that_is_open(app: AppTest) -> None:
    app.run()
    app.query_params = {"run": "new", "iteration": "1", "tau": "0.1"}
    app.run()
    assert _told(app) == "first new 1 0.1 []"


@pytest.mark.parametrize(
    "wrong",
    [
        {"run": "never"},
        {"iteration": "9"},
        {"iteration": "two"},
        {"tau": "much"},
        {"tau": "7"},
        {"tau": "nan"},
        {"with": ["never"]},
    ],
)
def test_what_the_page_does_not_offer_gives_the_default(
    app: AppTest, wrong: dict[str, str | list[str]]
) -> None:
    app.query_params = dict(wrong)
    app.run()
    assert _told(app) == "first new 3 0.33 []"
    assert app.query_params == {"run": "new", "iteration": "3"}


def test_another_run_keeps_what_it_has_and_follows_where_nothing_was_chosen(app: AppTest) -> None:
    app.run()
    app.selectbox(key="run").select("old").run()
    assert _told(app) == "first old 1 0.33 []"
    app.selectbox(key="run").select("new").run()
    assert _told(app) == "first new 3 0.33 []"


def test_a_page_that_one_returns_to_looks_as_it_was_left(app: AppTest, go: Go) -> None:
    app.run()
    app.slider(key="tau").set_value(0.6).run()
    go(app, "second")
    app.query_params = {}  # as a click in the menu leaves it
    app.run()
    assert _told(app) == "second new '' (1.0, 10.0) 0"
    assert app.query_params == {"run": "new"}
    go(app, "first").run()
    assert _told(app) == "first new 3 0.6 []"
    assert app.query_params == {"run": "new", "iteration": "3", "tau": "0.6"}


def test_a_link_to_another_page_sets_it(app: AppTest, go: Go) -> None:
    app.run()
    go(app, "second")
    app.query_params = {"run": "old", "q": " a dog ", "scores": "2-7.5", "instruction": "42"}
    app.run()
    assert _told(app) == "second old 'a dog' (2.0, 7.5) 42"
    app.button[0].click().run()
    assert _told(app).endswith(" 7")
    assert app.query_params["instruction"] == "7"


def test_an_address_from_before_a_change_does_not_undo_it(app: AppTest) -> None:
    app.run()
    before = dict(app.query_params)
    app.selectbox(key="run").select("middle").run()
    app.slider(key="tau").set_value(0.5)
    app.query_params = before  # the browser had not yet heard of the change
    app.run()
    assert _told(app) == "first middle 3 0.5 []"


@pytest.mark.parametrize("ends", [(1.0, 10.0), (2.5, 2.5), (25 / 3, 9.1)])
def test_ends_are_read_as_they_are_written(ends: address.Range) -> None:
    assert address.read_span(address.write_span(ends)) == ends
