"""An ablation over the toy world: shared first iterations, nothing run twice, a table at the end."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from inline_workers import inline_workforce
from recompute import check_run
from sqlalchemy import URL, Engine, text
from toy_world import import_toy_world, toy_config
from typer.testing import CliRunner

from comd_platform.ablation.grid import grid
from comd_platform.ablation.results import Results, results
from comd_platform.config.load import ConfigError
from comd_platform.db.engine import transaction
from comd_platform.loop.port import Silent
from comd_platform.runs import create_run
from comd_platform.settings import Settings
from comd_workers.ablation import Ablation
from comd_workers.cli.app import app
from comd_workers.fleet import Fleet

VARY = ["method.difficulty_threshold=0.33,0.67,1"]


def play(engine: Engine, url: URL, settings: Settings, ablation: Ablation) -> Results:
    with inline_workforce(url, settings) as workforce:
        fleet = Fleet(engine, settings, workforce, lambda _: Silent(), threading.Event())
        played, ended = ablation.play(engine, fleet, side_by_side=1)
    assert ended == {}
    with transaction(engine) as session:
        return results(session, played, ablation.baseline(session))


def items(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM work_item")).scalar_one())


def test_a_grid_over_seeds_is_played_once_and_told_by_seed(
    engine: Engine, database: URL, settings: Settings, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=6)
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=2))
    ablation = Ablation("toy", grid(VARY), seeds=2, at=1)
    found = play(engine, database, settings, ablation)

    # tau = 0.33 is what the run does already: its bases stand for that variant.
    runs = {(each.variant, each.seed): each.run for each in found.played}
    assert runs["difficulty_threshold=0.33", 3] == "toy"
    assert runs["difficulty_threshold=0.33", 4] == "toy-s4"
    assert runs["difficulty_threshold=1", 4] == "toy-difficulty_threshold-1-s4"
    assert len(set(runs.values())) == 6
    assert (found.baseline, found.iteration) == ("difficulty_threshold=0.33", 2)
    for run in runs.values():
        assert check_run(engine, run) == 2
    shared = "SELECT count(*) FROM run_iteration WHERE shared AND run LIKE 'toy-difficulty%'"
    with engine.connect() as connection:
        assert connection.execute(text(shared)).scalar_one() == 4
    assert {outcome.measure for outcome in found.outcomes} == {"student score (judged)", "toy-test"}
    for outcome in found.outcomes:
        assert set(outcome.by_seed) == {3, 4}
        assert (outcome.difference is None) == (outcome.variant == found.baseline)

    # Played again it finds everything.
    before = items(engine)
    assert play(engine, database, settings, ablation) == found
    assert items(engine) == before

    # And two of its runs are told side by side.
    told = CliRunner().invoke(app, ["compare", "toy", "toy-difficulty_threshold-1-s3", "--json"])
    assert told.exit_code == 0, told.output
    comparison = json.loads(told.stdout)
    assert comparison["settings"] == {"method.difficulty_threshold": [0.33, 1.0]}
    first = [row for row in comparison["rows"] if row["iteration"] == 1]
    assert all(all(row["shared"]) for row in first)
    # The same rows; only what counts as difficult is each run's own view of them.
    unlike = {row["measure"] for row in first if len(set(row["values"])) > 1}
    assert unlike == {"difficult share"}
    second = {row["measure"]: row for row in comparison["rows"] if row["iteration"] == 2}
    assert second["tuning pool"]["shared"] == [True, False]
    assert {"held out: toy-test", "difficult share", "final loss", "steps"} <= set(second)
    [tested] = comparison["tests"]
    assert (tested["benchmark"], tested["iteration"]) == ("toy-test", 2)
    assert tested["result"]["items"] == 6
    table = CliRunner().invoke(app, ["compare", "toy", "toy-difficulty_threshold-1-s3"])
    assert "iteration 1 is the same one in all" in table.stdout
    assert "students against that of toy, on the same held-out items" in table.stdout


def test_a_wrong_value_is_refused_before_anything_is_made(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=2)
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=2))
    wrong = CliRunner().invoke(
        app, ["ablate", "toy", "--vary", "method.selection=competitive,best"]
    )
    assert isinstance(wrong.exception, ConfigError)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 1


def test_a_run_is_not_compared_with_itself(settings: Settings) -> None:
    same = CliRunner().invoke(app, ["compare", "toy", "toy"])
    assert same.exception is not None
    with pytest.raises(type(same.exception), match="two different runs"):
        raise same.exception
