"""The loop through real worker processes over a real broker, driven by the command line."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from processes import comd, finish, scalar, wait_for
from recompute import check_run
from sqlalchemy import Engine
from toy_world import import_toy_world, toy_config

from comd_platform.config.load import parse_config
from comd_platform.db.engine import transaction
from comd_platform.evaluation.items import import_benchmark
from comd_platform.importers import import_file
from comd_platform.runs import create_run
from comd_platform.settings import Settings
from comd_tinyworld.data import balanced_test, seed_set, write_all
from comd_workers.demo.arms import run_document


def test_a_run_survives_kill_9_of_a_worker_and_of_the_driver(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy")
    slow = toy_config(iterations=2, ledger={"lease_seconds": 2})
    document = slow.model_dump(mode="json")
    document["teacher"]["model"]["delay_s"] = 0.05
    with transaction(engine) as session:
        create_run(session, parse_config(document))

    driver = comd("iterate", "toy", "--workers", "2")
    victim = wait_for(
        engine,
        "SELECT min(worker.pid) FROM work_item JOIN worker ON worker.id = worker_id"
        " WHERE work_item.state = 'leased'",
    )
    os.kill(victim, signal.SIGKILL)
    wait_for(engine, "SELECT count(*) FROM work_item WHERE phase = 'answer'")
    driver.send_signal(signal.SIGKILL)
    driver.communicate()

    output = finish(comd("iterate", "toy", "--workers", "2"))
    assert "iteration 2 assess done" in output
    assert check_run(engine, "toy") == 2
    assert scalar(engine, "SELECT driver IS NULL FROM run")


def test_the_second_driver_of_a_run_is_told_who_holds_it(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=4)
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=1))
    # Nobody serves the queues, so the first driver waits.
    first = comd("iterate", "toy", "--workers", "0")
    wait_for(engine, "SELECT count(*) FROM work_item WHERE rung_at IS NOT NULL")
    second = comd("iterate", "toy", "--workers", "0")
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"is being driven by {socket.gethostname()}:{first.pid}" in output
    assert "Traceback" not in output
    # Ctrl-C gives the prompt back in seconds, and the run can be taken up again.
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=20)
    assert (first.returncode, "stopped in iteration 1, phase label" in output) == (130, True)
    assert scalar(engine, "SELECT driver IS NULL FROM run")


def test_tinyworld_two_iterations_of_real_models_and_real_training(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    data = tmp_path / "tinyworld"
    write_all(data, seed=seed_set(150, 150), test=balanced_test("test-demo", each=0, look=24))
    images = data / "images"
    import_file(engine, settings, path=data / "seed.json", images=images, pool="tinyworld")
    import_benchmark(
        engine, settings, path=data / "test.jsonl", images=images, name="tinyworld-test"
    )
    document = run_document("small", seed=1)
    document["method"]["max_new"] = 40
    document["training"] |= {"max_steps": 8}
    config = tmp_path / "small.yaml"
    config.write_text(yaml.safe_dump(document))
    finish(comd("run", "create", str(config)))
    output = finish(comd("iterate", "small", "-n", "2", OMP_NUM_THREADS="1"))
    assert "iteration 2 assess done" in output
    assert check_run(engine, "small") == 2
    # The teacher's own words are what the student was trained on, and the teacher knows the world.
    assert scalar(engine, "SELECT avg(teacher_score) FROM assessment") > 7
    losses = "SELECT avg(loss) FROM training_metric WHERE step {} AND training_run_id = 1"
    assert scalar(engine, losses.format("> 4")) < scalar(engine, losses.format("<= 4"))
    status = finish(comd("status", "small"))
    assert "tinyworld-test, teacher" in status


@pytest.fixture
def redis() -> Iterator[str]:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("redis-server is not installed (.ci/run installs it)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait()


@pytest.mark.full
def test_redis_as_broker_with_workers_of_their_own(
    engine: Engine, settings: Settings, tmp_path: Path, redis: str
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=6)
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=2))
    thinkers = comd("worker", "--roles", "teacher,assessor,augmentor", COMD_BROKER_URL=redis)
    learners = comd("worker", "--roles", "student,trainer", COMD_BROKER_URL=redis)
    wait_for(engine, "SELECT count(*) = 2 FROM worker")
    finish(comd("iterate", "toy", COMD_BROKER_URL=redis))
    assert check_run(engine, "toy") == 2
    assert scalar(engine, "SELECT count(*) FROM worker") == 2  # no local ones were started
    for worker in (thinkers, learners):
        worker.send_signal(signal.SIGTERM)
        finish(worker, 30)
    assert scalar(engine, "SELECT bool_and(state = 'stopped') FROM worker")
