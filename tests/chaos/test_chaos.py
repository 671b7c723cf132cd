"""Runs under attack end in the rows of an undisturbed twin.

The short form belongs to `make test-full`; the long one is `make chaos`, which also writes what came
out into docs/reliability.md.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from chaos import Attack
from chaos_faults import KINDS, At
from chaos_report import write_report
from chaos_target import Target, target
from fake_chat import ChatServer
from recompute import check_run
from run_content import assert_same_content, run_content, unfinished
from sqlalchemy import Engine
from toy_world import import_toy_world, toy_config

from comd_migrations import upgrade
from comd_platform.config.load import parse_config
from comd_platform.config.run import RunConfig
from comd_platform.db.engine import transaction
from comd_platform.evaluation.items import import_benchmark
from comd_platform.importers import import_file
from comd_platform.runs import create_run
from comd_platform.settings import Settings
from comd_tinyworld.data import balanced_test, seed_set, write_all
from comd_workers.demo.arms import run_document

World = Callable[[Engine, Settings, Path], RunConfig]


def scripted_world(pictures: int, iterations: int, delay: float) -> World:
    """Many small items on engines that answer after `delay` seconds."""

    def make(engine: Engine, settings: Settings, folder: Path) -> RunConfig:
        import_toy_world(engine, settings, folder, pictures=pictures)
        document = toy_config(iterations=iterations, ledger={"lease_seconds": 4}).model_dump(
            mode="json"
        )
        for role in ("teacher", "student"):
            document[role]["model"]["delay_s"] = delay
        return parse_config(document)

    return make


def served_world(server: ChatServer, pictures: int, iterations: int) -> World:
    """The teacher behind a server: its workers hold several items at once."""

    def make(engine: Engine, settings: Settings, folder: Path) -> RunConfig:
        document = scripted_world(pictures, iterations, 0.0)(engine, settings, folder).model_dump(
            mode="json"
        )
        for role in ("assessor", "augmentor"):
            document[role]["model"] = document["teacher"]["model"]
        document["teacher"]["model"] = {
            "engine": "openai",
            "model": "served",
            "base_url": server.base_url,
            "api_key_env": None,
            "concurrency": 4,
        }
        return parse_config(document)

    return make


def tiny_world(images: int, iterations: int, steps: int) -> World:
    """Real models on a CPU, real trainings that save after every fifth step."""

    def make(engine: Engine, settings: Settings, folder: Path) -> RunConfig:
        test = balanced_test("test-demo", each=0, look=24)
        write_all(folder, seed=seed_set(images, images), test=test)
        pictures = folder / "images"
        import_file(engine, settings, path=folder / "seed.json", images=pictures, pool="tinyworld")
        import_benchmark(
            engine, settings, path=folder / "test.jsonl", images=pictures, name="tinyworld-test"
        )
        document = run_document("toy", seed=1)
        document["iterations"] = iterations
        document["method"]["max_new"] = 40
        document["training"] |= {"max_steps": steps, "batch_size": 8, "save_every_steps": 5}
        document["ledger"] = {"lease_seconds": 6}
        for role in ("teacher", "student", "assessor", "augmentor"):
            document[role]["batch"] = 48
        return parse_config(yaml.safe_load(yaml.safe_dump(document)))

    return make


ALEMBIC = threading.Lock()
"""Its migration context is one a process."""


def prepare(to: Target, world: World) -> None:
    with ALEMBIC:
        upgrade(to.engine)
    config = world(to.engine, Settings(home=to.home), to.home / "data")
    with transaction(to.engine) as session:
        create_run(session, config)


def twin(world: World, workers: int) -> dict[str, list[str]]:
    """The same run, left alone."""
    with target("toy", workers) as undisturbed:
        prepare(undisturbed, world)
        undisturbed.start_driver()
        Attack({}, 0).finish(undisturbed)
        check_run(undisturbed.engine, "toy")
        return run_content(undisturbed.engine, "toy")


def survive(
    world: World, quota: dict[str, int], seed: int, *, redis: bool = False, at_once: int = 3
) -> Attack:
    """One attacked run against its twin; what of the quota was left at its end the caller judges."""
    if redis and shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (.ci/run installs it)")
    wanted = twin(world, 2)
    attack = Attack(quota, seed, at_once)
    with target("toy", 2, redis=redis) as attacked:
        prepare(attacked, world)
        attacked.start_driver()
        attack.on(attacked)
        attack.finish(attacked)
        assert_same_content(run_content(attacked.engine, "toy"), wanted)
        assert unfinished(attacked.engine, "toy") == {}
        check_run(attacked.engine, "toy")
    return attack


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_a_scripted_run_under_every_kind_of_attack() -> None:
    quota = {
        "kill -9 of a worker": 3,
        "kill -9 of the driver": 2,
        "kill -9 of PostgreSQL": 1,
        "every message lost": 2,
        "worker frozen past its lease": 1,
    }
    attack = survive(scripted_world(12, 2, 0.02), quota, seed=1)
    # How many of them a run lives to see depends on the machine; the long form asks for all.
    assert len(attack.done) >= 5


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_workers_with_several_items_in_hand() -> None:
    quota = {
        "kill -9 of a worker": 5,
        "every message lost": 1,
        "worker frozen past its lease": 2,
        "kill -9 of the driver": 1,
    }
    server = ChatServer()
    server.delay_s = 0.3
    server.ending = " (right 0a1b2c3d)"  # which the scripted assessor reads
    try:
        attack = survive(served_world(server, 30, 2), quota, seed=6)
    finally:
        server.stop()
    assert len(attack.done) >= 5


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_real_trainings_are_killed_in_every_phase() -> None:
    points = [way.point for way in KINDS["kill -9 of the training"] if isinstance(way, At)]
    quota = {"kill -9 of the training": 1 + len(points)}
    attack = survive(tiny_world(100, 1, 20), quota, seed=2, at_once=len(points))
    assert {f"at {point}" for point in points} <= {fault.how for fault in attack.done}


@pytest.mark.chaos
@pytest.mark.timeout(0)
def test_the_long_form() -> None:
    """At least a hundred faults, every kind at least three times; the report goes into the docs."""
    began = time.time()
    with ThreadPoolExecutor() as threads:  # mostly they wait: for leases, for processes to start
        attacks = [
            threads.submit(survive, scripted_world(30, 4, 0.02), SCRIPTED, seed=3),
            threads.submit(survive, scripted_world(12, 2, 0.02), REDIS, seed=4, redis=True),
            threads.submit(survive, tiny_world(150, 3, 60), REAL, seed=5),
        ]
    done = [fault for attack in attacks for fault in attack.result().done]
    print(f"{len(done)} faults in {time.time() - began:.0f} s")
    write_report(done, seconds=time.time() - began, machine=_machine())
    assert len(done) >= 100
    for kind in KINDS:
        assert sum(fault.kind == kind for fault in done) >= 3, kind


SCRIPTED = {
    "kill -9 of a worker": 18,
    "kill -9 of the driver": 10,
    "kill -9 of PostgreSQL": 6,
    "every message lost": 16,
    "worker frozen past its lease": 10,
}
REDIS = {"every message lost": 8, "kill -9 of a worker": 4, "kill -9 of the driver": 2}
REAL = {
    "kill -9 of the training": 21,
    "kill -9 of a worker": 4,
    "kill -9 of the driver": 3,
    "kill -9 of PostgreSQL": 3,
    "worker frozen past its lease": 3,
    "every message lost": 3,
}
assert sum(map(sum, (q.values() for q in (SCRIPTED, REDIS, REAL)))) > 100


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, load {load:.0f}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-m", "chaos", "-s"]))
