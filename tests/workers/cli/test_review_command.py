"""`comd review` as it is typed, on a real database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine
from toy_world import import_toy_world, toy_config
from typer.testing import CliRunner

from comd_platform.db.engine import libpq_url, transaction
from comd_platform.errors import ComdError
from comd_platform.review import ReviewError
from comd_platform.runs import begin_iteration, create_run
from comd_platform.settings import Settings, get_settings
from comd_workers.cli.app import app


@pytest.fixture
def world(
    engine: Engine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Engine:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=2)
    with transaction(engine) as session:
        run = create_run(session, toy_config())
        begin_iteration(session, run, 1, None, run.pool_id, "label")
    monkeypatch.setenv("COMD_DATABASE_URL", libpq_url(engine.url))
    get_settings.cache_clear()
    return engine


def comd(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["review", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_decide_list_and_undo(world: Engine) -> None:
    assert "2: reject, by ada" in comd("decide", "2", "reject", "--note", "dark", "--author", "ada")
    comd("decide", "3", "edit", "--text", "Which one?", "--author", "ada")
    found = {row["instruction_id"]: row for row in json.loads(comd("list", "toy", "--json"))}
    assert found[2]["verdict"] == "reject"
    assert found[2]["note"] == "dark"
    assert found[3]["corrected"] == "Which one?"
    assert "Which one?" in comd("list", "toy")
    assert "reject taken back" in comd("undo", "2", "--author", "ada")
    assert [row["instruction_id"] for row in json.loads(comd("list", "toy", "--json"))] == [3]
    with pytest.raises(ReviewError, match="nothing about instruction 2"):
        comd("undo", "2", "--author", "ada")


def test_a_queue_keeps_its_order_and_knows_what_i_decided(world: Engine) -> None:
    ask = ("queue", "toy", "--slice", "random", "--author", "ada", "--json")
    before = json.loads(comd(*ask))
    assert sorted(row["instruction_id"] for row in before) == [1, 2, 3, 4]
    first = before[0]["instruction_id"]
    comd("decide", str(first), "accept", "--author", "ada")
    comd("decide", str(before[1]["instruction_id"]), "accept", "--author", "bob")
    after = json.loads(comd(*ask))
    assert [row["instruction_id"] for row in after] == [row["instruction_id"] for row in before]
    assert [row["decided"] for row in after] == ["accept", None, None, None]
    # Four instructions have 24 orders: one other seed may well give the same.
    orders = {
        tuple(row["instruction_id"] for row in json.loads(comd(*ask, "--seed", str(seed))))
        for seed in range(1, 7)
    }
    assert len(orders) > 1
    assert "drawn at random" in comd("queue", "toy", "--slice", "random")


def test_what_is_no_slice_and_no_decision_is_told(world: Engine) -> None:
    with pytest.raises(ComdError, match="'best' is no slice"):
        comd("queue", "toy", "--slice", "best")
    with pytest.raises(ReviewError, match="'maybe' is no decision"):
        comd("decide", "1", "maybe")
    with pytest.raises(ReviewError, match="command of its own"):
        comd("decide", "1", "undo")
