"""The app around the pages, in Streamlit's own headless test runner, on real databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL
from streamlit.testing.v1 import AppTest

from comd_dashboard.views import VIEWS
from comd_dashboard.views.view import View
from comd_platform.db.engine import libpq_url

Open = Callable[[URL], AppTest]
Go = Callable[[AppTest, str], AppTest]


def _charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


def _bold(app: AppTest) -> list[str]:
    """What the titles say, without the marks that keep them from being read as Markdown."""
    told = [element.value.replace("\\", "").replace("\u2060", "") for element in app.markdown]
    return [text.removeprefix("**").removesuffix("**") for text in told]


def _metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: str(metric.value) for metric in app.metric}


def _no_trouble(app: AppTest) -> None:
    assert not app.exception, [e.value for e in app.exception]
    assert not app.error, [e.value for e in app.error]


def test_the_newest_run_opens_with_its_phase_at_work(open_app: Open, synthetic: URL) -> None:
    app = open_app(synthetic).run()
    _no_trouble(app)
    assert app.header[0].value == "random"
    assert app.query_params["run"] == "random"
    metrics = _metrics(app)
    assert metrics["Iteration"] == "3 of 3"
    assert metrics["Phase"] == "answer"
    assert metrics["Records set aside"] != "0"
    assert " min " in metrics["Left in the run"]
    assert metrics["Left in this phase"].endswith(" s")
    assert "Branched off paper after iteration 1" in app.sidebar.caption[0].value


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.path)
def test_every_page_opens_by_its_address_and_its_charts_say_what_they_mean(
    open_app: Open, go: Go, synthetic: URL, view: View
) -> None:
    app = go(open_app(synthetic), view.path)
    app.query_params["run"] = "paper"
    app.run()
    _no_trouble(app)
    assert app.sidebar.selectbox(key="run").value == "paper"
    for spec in _charts(app):
        assert spec["description"] in _bold(app)


def test_choosing_another_run_moves_page_and_address(open_app: Open, synthetic: URL) -> None:
    app = open_app(synthetic).run()
    app.selectbox(key="run").select("paper").run()
    _no_trouble(app)
    assert app.header[0].value == "paper"
    assert app.query_params["run"] == "paper"
    assert _metrics(app)["Phase"] == "done"


def test_an_unknown_run_in_the_address_is_told_and_another_shown(
    open_app: Open, synthetic: URL
) -> None:
    app = open_app(synthetic)
    app.query_params["run"] = "never-made"
    app.run()
    _no_trouble(app)
    assert "does not exist" in app.sidebar.warning[0].value
    assert app.query_params["run"] == "random"


def test_text_of_models_and_errors_never_becomes_markdown(open_app: Open, synthetic: URL) -> None:
    app = open_app(synthetic).run()
    told = [element.value for element in (*app.markdown, *app.caption, *app.header)]
    assert not [text for text in told if "<b>" in text or "question" in text]
    assert any("a reply with <b>markup</b>" in str(table.value) for table in app.dataframe)


def test_a_run_that_has_not_begun_says_what_to_run(open_app: Open, database: URL) -> None:
    with psycopg.connect(libpq_url(database)) as connection:
        connection.execute("INSERT INTO pool (id, name, origin) VALUES (1, 'seed', 'import')")
        connection.execute(
            "INSERT INTO run (name, seed, pool_id, config) VALUES ('planned', 1, 1, %s)",
            [
                json.dumps(
                    {
                        "iterations": 4,
                        "method": {"selection": "competitive", "difficulty_threshold": 0.33},
                        "teacher": {"model": {"engine": "hf", "model": "big"}},
                        "student": {"model": {"engine": "hf", "model": "small"}},
                    }
                )
            ],
        )
    app = open_app(database).run()
    _no_trouble(app)
    assert _charts(app) == []
    commands = [code.value for code in app.code]
    assert "comd iterate planned" in commands
    assert "comd worker --roles teacher,student,assessor,augmentor,trainer" in commands


def test_an_empty_database_shows_the_first_steps(open_app: Open, database: URL) -> None:
    app = open_app(database).run()
    _no_trouble(app)
    assert app.header[0].value == "No run yet"
    assert "comd run create CONFIG.yaml" in app.code[0].value


def test_a_database_without_the_schema_says_how_to_make_it(
    open_app: Open, empty_database: URL
) -> None:
    app = open_app(empty_database).run()
    assert not app.exception
    assert app.error[0].value == "The database is not at this version's schema."
    assert app.caption[0].value == "Run: comd db upgrade"


def test_a_database_that_is_away_is_told_and_not_raised(open_app: Open, database: URL) -> None:
    app = open_app(database.set(database="comd_no_such_database")).run()
    assert not app.exception
    assert app.error[0].value == "The database cannot be reached."
    assert "Waiting for it" in app.caption[1].value
