"""Metrics out of the rows, into every tracker that is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from inline_workers import inline_workforce
from sqlalchemy import URL, Engine, text
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import transaction
from comd_platform.errors import ComdError
from comd_platform.loop.driver import Driver
from comd_platform.runs import create_run, find_run
from comd_platform.settings import Settings
from comd_workers.tracking import port
from comd_workers.tracking.follow import Follower
from comd_workers.tracking.port import TRACKERS, open_tracker


class Remembering:
    """A tracker that shows what it was told."""

    def __init__(self, seen: int = 0) -> None:
        self.told: list[tuple[int, dict[str, float]]] = []
        self._seen = seen

    def seen(self) -> int:
        return self._seen

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.told.append((step, dict(values)))

    def close(self) -> None:
        pass


@pytest.fixture
def world(engine: Engine, settings: Settings, tmp_path: Path) -> Engine:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=4)
    with transaction(engine) as session:
        create_run(session, toy_config())
    return engine


@pytest.fixture
def drive(world: Engine, database: URL, settings: Settings) -> Iterator[Any]:
    with inline_workforce(database, settings) as workforce:
        yield lambda count: Driver(world, workforce, poll_seconds=0.01).run("toy", count)


def run_id(engine: Engine) -> int:
    with transaction(engine) as session:
        return find_run(session, "toy").id


def losses(engine: Engine) -> list[float]:
    with engine.connect() as connection:
        return list(
            connection.scalars(
                text(
                    "SELECT loss FROM training_metric JOIN training_run ON id = training_run_id"
                    " ORDER BY iteration_id, step"
                )
            )
        )


def test_steps_count_on_over_the_iterations_and_nothing_is_told_twice(
    world: Engine, drive: Any
) -> None:
    tracker = Remembering()
    follower = Follower(world, run_id(world), tracker)
    assert follower.tell() == 0
    drive(1)
    assert follower.tell() == len(tracker.told) > 1
    drive(1)
    follower.tell()
    assert follower.tell() == 0
    steps = [step for step, values in tracker.told if "train/loss" in values]
    assert steps == list(range(1, len(losses(world)) + 1))
    assert [values["train/loss"] for _, values in tracker.told if "train/loss" in values] == losses(
        world
    )
    ends = [(step, values) for step, values in tracker.told if "iteration/number" in values]
    assert [values["iteration/number"] for _, values in ends] == [1, 2]
    assert ends[-1][0] == steps[-1]
    assert {"assess/difficult_share", "held_out/toy-test"} <= ends[-1][1].keys()

    later = Remembering(seen=steps[-1] - 1)
    Follower(world, run_id(world), later).tell()
    assert {step for step, _ in later.told} == {steps[-1]}


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_a_tracker_takes_a_run_and_takes_it_again(
    world: Engine, drive: Any, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(TRACKERS[name])
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    drive(1)
    for _ in range(2):
        tracker = open_tracker(name, "toy", toy_config().model_dump(mode="json"), tmp_path)
        Follower(world, run_id(world), tracker).tell()
        tracker.close()
    if name == "tensorboard":
        assert _tensorboard(tmp_path / "toy") == pytest.approx(losses(world))
    if name == "mlflow":
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
        experiment = client.get_experiment_by_name("comd")
        (run,) = client.search_runs([experiment.experiment_id])
        history = client.get_metric_history(run.info.run_id, "train/loss")
        assert [metric.value for metric in history] == losses(world)


def test_what_is_not_installed_says_how_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(port.TRACKERS, "wandb", "no_such_package")
    with pytest.raises(ComdError, match="not installed") as error:
        open_tracker("wandb", "toy", {}, tmp_path)
    assert "comd[wandb]" in str(error.value.hint)
    with pytest.raises(ComdError, match="no tracker"):
        open_tracker("paper", "toy", {}, tmp_path)


def _tensorboard(folder: Path) -> list[float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.value for event in events.Scalars("train/loss")]
