"""PostgreSQL goes away under a run, and Ctrl-C comes at a bad moment: both with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from processes import comd, finish, scalar, wait_for
from recompute import check_run
from sqlalchemy import Engine, make_url
from toy_world import import_toy_world, toy_config

from comd_migrations import upgrade
from comd_platform.config.load import parse_config
from comd_platform.config.run import RunConfig
from comd_platform.db.embedded import EmbeddedPostgres
from comd_platform.db.engine import make_engine, transaction
from comd_platform.importers import import_file
from comd_platform.runs import create_run
from comd_platform.settings import Settings, get_settings
from comd_tinyworld.data import balanced_test, seed_set, write_all
from comd_workers.demo.arms import run_document


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A COMD_HOME with a server of its own, that may be killed."""
    monkeypatch.delenv("COMD_DATABASE_URL", raising=False)
    monkeypatch.delenv("COMD_BROKER_URL", raising=False)
    with tempfile.TemporaryDirectory(prefix="comd-outage-") as directory:
        home = Path(directory)
        home.chmod(0o711)
        monkeypatch.setenv("COMD_HOME", str(home))
        get_settings.cache_clear()
        server = EmbeddedPostgres(home)
        server.start()
        yield home
        server.stop()
    get_settings.cache_clear()


@pytest.fixture
def own_engine(home: Path) -> Iterator[Engine]:
    url = make_url(EmbeddedPostgres(home).url()).set(drivername="postgresql+psycopg")
    engine = make_engine(url)
    upgrade(engine)
    yield engine
    engine.dispose()


def slow_toy(delay: float, **sections: object) -> RunConfig:
    document = toy_config(**sections).model_dump(mode="json")
    document["teacher"]["model"]["delay_s"] = delay
    return parse_config(document)


def test_the_embedded_server_is_killed_and_the_run_goes_on(
    own_engine: Engine, home: Path, tmp_path: Path
) -> None:
    settings = Settings(home=home)
    import_toy_world(own_engine, settings, tmp_path / "toy")
    with transaction(own_engine) as session:
        create_run(session, slow_toy(0.2, iterations=2, ledger={"lease_seconds": 5}))
    driver = comd("iterate", "toy", "--workers", "2")
    wait_for(own_engine, "SELECT count(*) >= 2 FROM work_item WHERE state = 'done'")
    postmaster = EmbeddedPostgres(home).status().pid
    assert postmaster is not None
    os.kill(postmaster, signal.SIGKILL)  # nobody but the run itself will start it again
    output = finish(driver)
    assert "the database is away" in output
    assert "the database is back" in output
    assert check_run(own_engine, "toy") == 2
    assert EmbeddedPostgres(home).status().pid != postmaster


def test_a_server_that_was_stopped_is_waited_for_and_not_for_ever(
    own_engine: Engine, home: Path, tmp_path: Path
) -> None:
    settings = Settings(home=home)
    import_toy_world(own_engine, settings, tmp_path / "toy", pictures=4)
    with transaction(own_engine) as session:
        create_run(session, toy_config(iterations=1))
    driver = comd("iterate", "toy", "--workers", "0", COMD_DATABASE_PATIENCE="2")
    wait_for(own_engine, "SELECT count(*) FROM work_item WHERE rung_at IS NOT NULL")
    EmbeddedPostgres(home).stop()
    output, _ = driver.communicate(timeout=120)
    assert driver.returncode == 1
    assert "the database is away for" in output
    assert "COMD_DATABASE_PATIENCE" in output
    assert "Traceback" not in output
    assert EmbeddedPostgres(home).status().pid is None


def interrupt(driver: subprocess.Popen[str]) -> tuple[str, float]:
    """Ctrl-C; its output and how long it took to leave."""
    began = time.monotonic()
    driver.send_signal(signal.SIGINT)
    output, _ = driver.communicate(timeout=100)
    return output, time.monotonic() - began


def test_ctrl_c_puts_back_what_is_in_flight(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=6)
    with transaction(engine) as session:
        create_run(session, slow_toy(60.0, iterations=1))  # an item would take five minutes
    driver = comd("iterate", "toy", "--workers", "2")
    wait_for(engine, "SELECT count(*) = 2 FROM work_item WHERE state = 'leased'")
    workers = [p.pid for p in psutil.Process(driver.pid).children()]
    output, _ = interrupt(driver)
    assert driver.returncode == 130
    assert "stopped in iteration 1, phase label" in output
    assert not [pid for pid in workers if psutil.pid_exists(pid)]
    assert scalar(engine, "SELECT count(*) FROM work_item WHERE state = 'leased'") == 0
    assert scalar(engine, "SELECT bool_and(claims = 0 AND failures = 0) FROM work_item")
    assert scalar(engine, "SELECT bool_and(state = 'stopped') FROM worker")


def test_a_second_driver_waits_for_the_first_to_leave(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=4)
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=1))
    first = comd("iterate", "toy", "--workers", "0")
    wait_for(engine, "SELECT count(*) FROM work_item WHERE rung_at IS NOT NULL")
    status = finish(comd("status", "toy"))
    assert f":{first.pid}" in status
    second = comd("iterate", "toy", "--workers", "1", "--wait")
    wait_for(engine, "SELECT count(*) FROM worker")  # it is there, and the run is not its yet
    first.send_signal(signal.SIGKILL)
    first.communicate()
    output = finish(second)
    assert f":{first.pid}" in output
    assert "waiting until it leaves" in output
    assert check_run(engine, "toy") == 1
    assert "nobody drives it" in finish(comd("status", "toy"))


@pytest.mark.full
def test_ctrl_c_in_a_training_saves_it_and_the_next_start_goes_on(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    data = tmp_path / "tinyworld"
    write_all(data, seed=seed_set(60, 60), test=balanced_test("test-demo", each=0, look=8))
    import_file(engine, settings, path=data / "seed.json", images=data / "images", pool="tinyworld")
    document = run_document("small", seed=1)
    document["evaluation"]["benchmarks"] = []
    document["iterations"] = 1
    document["training"] |= {"max_steps": 400, "batch_size": 4}
    with transaction(engine) as session:
        create_run(session, parse_config(document))
    driver = comd("iterate", "small", "--workers", "1")
    wait_for(engine, "SELECT count(*) > 3 FROM training_metric", 240)
    output, _ = interrupt(driver)
    assert driver.returncode == 130
    assert "stopped in iteration 1, phase tune" in output
    assert scalar(engine, "SELECT state FROM training_run") == "stopped"
    assert scalar(engine, "SELECT count(*) FROM work_item WHERE state = 'leased'") == 0
    [state] = (settings.home / "artifacts" / "training").glob("*/resume/step-*")
    saved = int(state.name.removeprefix("step-"))
    assert 3 < saved < 400
    finish(comd("iterate", "small", "--workers", "1"))
    assert check_run(engine, "small") == 1
    assert scalar(engine, "SELECT count(*) FROM training_metric") == 400
