"""Review in Streamlit's own headless test runner; decisions on a real database, as their own role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL
from streamlit.testing.v1 import AppTest

from comd_platform.db.engine import libpq_url

Open = Callable[[URL], AppTest]
Go = Callable[[AppTest, str], AppTest]
At = Callable[..., AppTest]


@pytest.fixture
def at(open_app: Open, go: Go, reviewer: URL) -> At:
    """The page at an address of the run `paper`, with `ada` before it."""

    def opened(name: str = "ada", **parameters: str) -> AppTest:
        app = go(open_app(reviewer), "review")
        app.query_params["run"] = "paper"
        for key, value in parameters.items():
            app.query_params[key] = value
        app.session_state["reviewer"] = name
        app.run()
        assert not app.exception, [e.value for e in app.exception]
        return app

    return opened


def decisions(url: URL) -> list[tuple[Any, ...]]:
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute(
            "SELECT decision, author, text, note FROM review ORDER BY id"
        ).fetchall()


def subject(app: AppTest) -> int:
    queue = app.session_state["queue"]
    return int(queue.waiting[queue.place].instruction_id)


def press(app: AppTest, action: str) -> None:
    app.button(key=f"do-{action}").click().run()
    assert not app.exception, [e.value for e in app.exception]
    assert not app.error, [e.value for e in app.error]


def test_decisions_are_rows_and_the_queue_goes_on(at: At, reviewer: URL) -> None:
    app = at()
    first = subject(app)
    app.text_input(key=f"note-{first}").set_value("both are fine").run()
    press(app, "accept")
    second = subject(app)
    assert second != first
    press(app, "reject")
    press(app, "flag")
    assert decisions(reviewer) == [
        ("accept", "ada", None, "both are fine"),
        ("reject", "ada", None, None),
        ("flag", "ada", None, None),
    ]
    # Who comes back finds the rest.
    again = at()
    assert subject(again) not in {first, second}
    assert again.session_state["queue"].waiting[0].instruction_id == first


def test_undo_goes_back_to_what_it_takes_back(at: At, reviewer: URL) -> None:
    app = at()
    first = subject(app)
    press(app, "accept")
    press(app, "reject")
    press(app, "undo")
    press(app, "undo")
    assert subject(app) == first
    assert [row[0] for row in decisions(reviewer)] == ["accept", "reject", "undo", "undo"]
    assert not app.session_state["queue"].decided
    press(app, "undo")  # nothing is left to take back
    assert len(decisions(reviewer)) == 4


def test_a_correction_is_written_as_an_edit(at: At, reviewer: URL) -> None:
    app = at()
    first = subject(app)
    press(app, "edit")
    area = app.text_area(key=f"edit-{first}")
    assert "question" in area.value.lower()
    area.set_value("Which colour is it?")
    next(each for each in app.button if each.label == "Save the correction").click().run()
    assert decisions(reviewer) == [("edit", "ada", "Which colour is it?", None)]
    assert subject(app) != first


def test_two_reviewers_see_the_same_queue_and_only_their_own_decisions(
    at: At, reviewer: URL
) -> None:
    ada, bob = at("ada", slice="random"), at("bob", slice="random")
    first = subject(ada)
    assert subject(bob) == first
    press(ada, "accept")
    press(bob, "reject")
    assert {row[:2] for row in decisions(reviewer)} == {("accept", "ada"), ("reject", "bob")}
    assert subject(at("bob", slice="random")) == subject(at("ada", slice="random")) != first


def test_skipping_and_going_back_decide_nothing(at: At, reviewer: URL) -> None:
    app = at()
    first = subject(app)
    press(app, "on")
    assert subject(app) != first
    press(app, "back")
    assert subject(app) == first
    assert decisions(reviewer) == []


@pytest.mark.parametrize("name", ["inconsistent", "difficult", "random"])
def test_every_slice_says_why_something_is_in_it(at: At, name: str) -> None:
    app = at(slice=name)
    assert any("in this slice since" in each.value for each in app.caption)


@pytest.mark.parametrize("name", ["quarantined", "flagged"])
def test_an_empty_slice_says_so(at: At, name: str) -> None:
    app = at(slice=name)
    assert any("Nothing" in each.value for each in app.caption)


def test_without_a_name_nothing_is_decided(at: At) -> None:
    app = at("")
    assert any("Decisions carry a name" in each.value for each in app.caption)
    assert not app.button


def test_without_a_reviewing_role_it_is_told_and_nothing_is_written(
    at: At, reviewer: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comd_platform.settings import get_settings

    app = at()
    monkeypatch.delenv("COMD_REVIEWER_URL")
    get_settings.cache_clear()
    app.button(key="do-accept").click().run()
    assert not app.exception
    assert "COMD\\_REVIEWER\\_URL is not set" in app.error[0].value
    assert decisions(reviewer) == []
