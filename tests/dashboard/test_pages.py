"""Now, Pools, Difficulty, Judge and Progress in Streamlit's own test runner, on real databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL
from streamlit.testing.v1 import AppTest

from comd_dashboard import data, words
from comd_platform.db.engine import libpq_url
from comd_platform.reports.cells import score_cells
from comd_platform.reports.difficulty import bands
from comd_platform.reports.judge import judge_rows
from comd_platform.reports.orders import order_cells

Open = Callable[[URL], AppTest]
Go = Callable[[AppTest, str], AppTest]
Look = Callable[..., AppTest]


@pytest.fixture
def look(open_app: Open, go: Go, synthetic: URL) -> Look:
    """A page of the run `paper`, with more of the address where it is given."""

    def looked(path: str, **address: str | list[str]) -> AppTest:
        app = go(open_app(synthetic), path)
        app.query_params = {"run": "paper", **address}
        return quiet(app.run())

    return looked


def quiet(app: AppTest) -> AppTest:
    assert not app.exception, [e.value for e in app.exception]
    assert not app.error, [e.value for e in app.error]
    return app


def told(app: AppTest) -> str:
    """Everything that is written on the page, without the marks that keep it from being Markdown."""
    elements = (*app.markdown, *app.caption, *app.code, *app.header)
    text = "\n".join(str(element.value) for element in elements)
    return text.replace("\\", "").replace("\u2060", "")


def metrics(app: AppTest) -> dict[str, str]:
    return {
        metric.label.replace("\\", ""): str(metric.value).replace("\\", "").replace("\u2060", "")
        for metric in app.metric
    }


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


def test_now_tells_phase_workers_and_trouble(look: Look) -> None:
    app = look("now", run="random")
    found = metrics(app)
    assert found["Phase"] == "answer"
    assert found["Work items"] == "1 at work, 3 waiting"
    assert found["Items split"] == "1"
    tables = [table.value for table in app.dataframe]
    assert list(tables[0]["phase"]) == ["augment", "accept", "label", "tune", "answer"]
    assert set(tables[1]["host"]) == {"node-a", "node-b"}
    assert "memory" in tables[1]
    assert "a reply with <b>markup</b>" in list(tables[2]["example"])
    assert "Nobody drives it" in told(app)


def test_a_finished_run_has_nothing_left(look: Look) -> None:
    found = metrics(look("now"))
    assert found["Phase"] == "done"
    assert "Left in the run" not in found


def test_now_keeps_what_it_knew_while_the_database_is_away(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = look("now")

    def away(*_: object) -> None:
        raise data.ReadError("The database cannot be reached.", hint="Run: comd db status")

    monkeypatch.setattr("comd_dashboard.panels.now.read_now", away)
    app.run()
    assert not app.exception
    assert "Waiting for the database" in app.warning[0].value
    assert metrics(app)["Phase"] == "done"
    assert "What follows is as of" in told(app)


def test_pools_tell_growth_funnel_and_examples_of_every_reason(look: Look) -> None:
    app = look("pools")
    assert len(charts(app)) == 3
    assert "The cache pool grew from 120 to" in told(app)
    assert app.query_params["written"] == "3"
    reasons = app.selectbox(key="reason").options
    assert sorted(reasons) == ["too similar", "unreadable"]
    quiet(app.selectbox(key="reason").select("too similar").run())
    assert "Reply, as it came" in told(app)
    assert "Nearest instruction of the same picture" in told(app)
    quiet(app.selectbox(key="reason").select("unreadable").run())
    assert "I cannot" in told(app)
    assert app.query_params["reason"] == "unreadable"
    quiet(app.button_group(key="written").select("2").run())
    assert "Iteration 2: what is left" in told(app)


def test_moving_the_threshold_tells_at_once_and_asks_no_cell_again(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = look("difficulty", iteration="2")
    cells = data.read_now(score_cells, 1, 2)
    own = bands(cells, 0.33)
    assert metrics(app)["Difficult"].startswith(f"{own.difficult:,} ·")
    assert "tau" not in app.query_params
    app.slider(key="tau").set_value(0.2)
    quiet(app.run())
    moved = bands(cells, 0.2)
    assert moved.difficult > own.difficult
    found = metrics(app)
    assert found["Difficult"].startswith(f"{moved.difficult:,} ·")
    assert found["Difficult at the run's own 0.33"].startswith(f"{own.difficult:,} ·")
    assert app.query_params["tau"] == "0.2"
    wanted = moved.difficult + min(moved.difficult, moved.easy)
    assert found["Sources of the next pool"] == f"{wanted:,}"


def test_a_link_opens_the_same_iteration_and_threshold(look: Look) -> None:
    app = look("difficulty", iteration="1", tau="0.5")
    cells = data.read_now(score_cells, 1, 1)
    assert metrics(app)["Difficult"].startswith(f"{bands(cells, 0.5).difficult:,} ·")
    assert "The cache pool under the student of iteration 1" in told(app)


def test_the_judge_page_counts_and_shows_the_replies(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comd_dashboard.panels.judge.SHOWN", 3)
    app = look("judge", iteration="2")
    row = judge_rows(data.read_now(order_cells, 1))[1]
    found = metrics(app)
    assert found["Pairs judged"] == f"{row.pairs:,}"
    assert found["Orders disagree"] == f"{100 * (row.flip_share or 0):.1f} %"
    assert row.kappa is not None
    assert found["Agreement κ"] == f"{row.kappa:.2f}"
    assert len(charts(app)) == 4
    assert f"orders disagree: {row.flips}" in app.selectbox(key="pairs").options
    first = list(app.dataframe[0].value["instruction"])
    assert len(first) == 3
    quiet(next(button for button in app.button if button.label == "More").click().run())
    second = list(app.dataframe[0].value["instruction"])
    assert not set(first) & set(second)
    quiet(next(button for button in app.button if button.label == "Back").click().run())
    assert list(app.dataframe[0].value["instruction"]) == first


def test_progress_compares_runs_with_the_leftmost_as_the_baseline(look: Look) -> None:
    app = look("progress", **{"with": ["random"]})
    assert len(charts(app)) == 6
    text = told(app)
    assert "The baseline is paper, leftmost" in text
    assert "comd compare paper random" in text
    table = app.dataframe[-1].value
    assert list(table.columns) == ["measure", "paper", "random"]
    held_out = dict(zip(table["measure"], table["random"], strict=True))["held out: heldout"]
    assert held_out == words.NONE or "(" in held_out
    quiet(app.button_group(key="compared").select("1").run())
    table = app.dataframe[-1].value
    assert set(table["random"]) == {"shared"}
    quiet(app.selectbox(key="benchmark").select("heldout-choice").run())
    assert "“heldout-choice”:" in told(app)
    quiet(app.button_group(key="measure").select("student's score").run())
    assert app.query_params["measure"] == "student_score"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("now", "comd iterate planned"),
        ("pools", "comd iterate planned"),
        ("difficulty", "comd iterate planned"),
        ("judge", "comd iterate planned"),
        ("progress", "comd import benchmark --help"),
    ],
)
def test_every_page_of_a_run_that_has_not_begun_says_what_to_run(
    open_app: Open, go: Go, database: URL, path: str, says: str
) -> None:
    config = {
        "name": "planned",
        "pool": "seed",
        "iterations": 4,
        "method": {"selection": "competitive", "difficulty_threshold": 0.33},
        "teacher": {"model": {"engine": "hf", "model": "big"}},
        "student": {"model": {"engine": "hf", "model": "small"}},
    }
    with psycopg.connect(libpq_url(database)) as connection:
        connection.execute("INSERT INTO pool (id, name, origin) VALUES (1, 'seed', 'import')")
        connection.execute(
            "INSERT INTO run (name, seed, pool_id, config) VALUES ('planned', 1, 1, %s)",
            [json.dumps(config)],
        )
    app = quiet(go(open_app(database), path).run())
    assert charts(app) == []
    assert says in [code.value for code in app.code]
