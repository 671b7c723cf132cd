"""Browse in Streamlit's own headless test runner, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import URL
from streamlit.testing.v1 import AppTest

Open = Callable[[URL], AppTest]
Go = Callable[[AppTest, str], AppTest]


@pytest.fixture
def at(open_app: Open, go: Go, synthetic: URL) -> Callable[..., AppTest]:
    """The page at an address of the run `paper`."""

    def opened(**parameters: str) -> AppTest:
        app = go(open_app(synthetic), "browse")
        app.query_params["run"] = "paper"
        for name, value in parameters.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, [e.value for e in app.exception]
        assert not app.error
        return app

    return opened


def cards(app: AppTest) -> list[dict[str, Any]]:
    """What the grid was given."""
    return _component(app, "cards")["cards"]  # type: ignore[no-any-return]


def nodes(app: AppTest) -> list[dict[str, Any]]:
    return _component(app, "nodes")["nodes"]  # type: ignore[no-any-return]


def _component(app: AppTest, holds: str) -> dict[str, Any]:
    import json

    for element in app.get("bidi_component"):
        if element.proto.json:
            data = json.loads(element.proto.json)
            if holds in data:
                return data  # type: ignore[no-any-return]
    raise AssertionError(f"nothing on the page shows {holds}")


def said(app: AppTest) -> str:
    """All of the page's plain text."""
    return "\n".join(str(each.value) for each in (*app.text, *app.code, *app.caption))


def test_the_last_iteration_opens_with_a_page_of_cards(at: Callable[..., AppTest]) -> None:
    app = at()
    assert app.query_params["iteration"] == "3"
    assert len(cards(app)) == 24
    first = cards(app)[0]
    assert first["text"] == "Seed question 1 *about* the picture?"
    assert first["picture"].startswith("/pictures/small/")


@pytest.mark.parametrize(
    ("address", "holds"),
    [
        ({"type": "look"}, lambda card: card["type"] == "look"),
        ({"band": "difficult"}, lambda card: card["band"] == "difficult"),
        ({"band": "unscored"}, lambda card: card["band"] == "unscored"),
        ({"status": "flip"}, lambda card: "flip" in card["marks"]),
        ({"teacher": "8-8.5", "student": "1-4"}, lambda card: float(card["student"]) <= 4),
        ({"words": "QUESTION 2 FROM"}, lambda card: card["text"].startswith("New question 2")),
        ({"born": "2"}, lambda card: card["born"] == "iteration 2"),
    ],
)
def test_an_address_opens_the_same_view(
    at: Callable[..., AppTest], address: dict[str, str], holds: Callable[[dict[str, Any]], bool]
) -> None:
    app = at(**address)
    shown = cards(app)
    assert shown
    assert all(map(holds, shown))
    for name, value in address.items():
        assert app.query_params[name] == value


def test_paging_goes_on_and_back_and_a_filter_begins_anew(at: Callable[..., AppTest]) -> None:
    app = at()
    first = [card["id"] for card in cards(app)]
    app.button[1].click().run()
    second = [card["id"] for card in cards(app)]
    assert min(second) > max(first)
    assert "after" in app.query_params
    again = at(after=app.query_params["after"])
    assert [card["id"] for card in cards(again)] == second
    app.button[0].click().run()
    assert [card["id"] for card in cards(app)] == first
    app.button[1].click().run()
    app.selectbox(key="band").select("easy").run()
    assert "after" not in app.query_params
    assert cards(app)[0]["id"] == min(card["id"] for card in cards(app))


def test_nothing_matches_is_said(at: Callable[..., AppTest]) -> None:
    app = at(words="no such words")
    assert any("No instruction of this" in each.value for each in app.caption)


def test_one_instruction_with_everything(at: Callable[..., AppTest]) -> None:
    grown = cards(at(born="3", band="difficult"))[0]["id"]
    app = at(instruction=str(grown))
    family = nodes(app)
    assert [node["id"] for node in family if node["here"]] == [grown]
    assert family[0]["parent"] is None
    told = said(app)
    assert "Written by the augmentor in iteration 3" in told
    assert "the student was tuned on it" in told
    assert f"Truth {grown}" in told
    assert "Teacher's answer first" in told
    assert "Student's answer first" in told
    assert "ROUGE-L" in told
    app.button[0].click().run()
    assert "instruction" not in app.query_params
    assert cards(app)


def test_an_instruction_that_is_not_there_is_told(at: Callable[..., AppTest]) -> None:
    app = at(instruction="999999")
    assert "no instruction has the id 999999" in app.warning[0].value
