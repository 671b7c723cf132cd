"""Further work items beside the first: real rows, a real server, real worker processes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_chat import ChatServer
from processes import comd, finish, scalar, wait_for
from sqlalchemy import URL, Engine, select, text
from toy_world import import_toy_world, toy_config

from comd_platform.config.engines import OpenAIConfig
from comd_platform.db.engine import transaction
from comd_platform.ledger import Claim, plan_items, register_worker, to_ring
from comd_platform.loop.iterations import next_iteration
from comd_platform.models import role_model
from comd_platform.runs import create_run
from comd_platform.settings import Settings
from comd_platform.tables import Instruction
from comd_workers.engines.cache import EngineCache
from comd_workers.perform import Performer, performing
from comd_workers.perform.companions import Companions
from comd_workers.perform.heartbeat import Heartbeat

BATCH = 12
ITEMS = 2  # twelve pictures, two questions each
IN_FLIGHT = 2  # so few that one item beside the first is enough


def served_run(engine: Engine, settings: Settings, folder: Path, server: ChatServer) -> Any:
    """A run whose teacher is behind `server`, its seed imported."""
    import_toy_world(engine, settings, folder)
    model = {"engine": "openai", "model": "m", "base_url": server.base_url, "api_key_env": None}
    teacher = {"model": model | {"max_retries": 0, "concurrency": IN_FLIGHT}, "batch": BATCH}
    config = toy_config(iterations=1, teacher=teacher, ledger={"lease_seconds": 2})
    with transaction(engine) as session:
        return create_run(session, config), config


def plan_labels(engine: Engine, run: Any, config: Any) -> list[int]:
    """The items of the first label phase."""
    with transaction(engine) as session:
        iteration = next_iteration(session, session.merge(run)).id
        model = role_model(session, config, "teacher")
        plan_items(
            session,
            iteration_id=iteration,
            phase="label",
            role="teacher",
            model_id=model,
            subjects=select(Instruction.id),
            order=Instruction.id,
            batch=BATCH,
        )
        to_ring(session, iteration, "label")
        return list(session.scalars(text("SELECT id FROM work_item ORDER BY id")))


@contextmanager
def hands(engine: Engine, database: URL, settings: Settings) -> Iterator[Performer]:
    """A worker's, without the broker before them."""
    with transaction(engine) as session:
        worker = register_worker(
            session, name="w", host="h", pid=1, roles=["teacher"], device="cpu"
        )
    with (
        EngineCache() as cache,
        Heartbeat(database, worker) as heartbeat,
        performing(engine, settings, cache, heartbeat, worker) as performer,
    ):
        yield performer


@pytest.fixture
def planned(
    engine: Engine, settings: Settings, tmp_path: Path, chat_server: ChatServer
) -> list[int]:
    run, config = served_run(engine, settings, tmp_path / "toy", chat_server)
    return plan_labels(engine, run, config)


def test_items_like_the_one_in_hand_are_done_beside_it(
    engine: Engine,
    database: URL,
    settings: Settings,
    chat_server: ChatServer,
    planned: list[int],
) -> None:
    chat_server.delay_s = 0.1
    with hands(engine, database, settings) as performer:
        assert performer.perform(planned[0])
        assert not performer.perform(planned[0])  # done: a bell that rings twice
        wait_for(engine, f"SELECT count(*) = {ITEMS} FROM work_item WHERE state = 'done'")
    beside = scalar(
        engine,
        "SELECT count(*) FROM work_item first, work_item other WHERE first.id ="
        f" {planned[0]} AND other.id <> first.id AND other.started_at < first.finished_at",
    )
    assert beside == 1
    assert chat_server.most_in_flight == IN_FLIGHT
    assert scalar(engine, "SELECT count(*) FROM answer") == BATCH * ITEMS
    assert len(chat_server.bodies) == BATCH * ITEMS
    assert scalar(engine, "SELECT sum(requests) FROM usage") == BATCH * ITEMS
    assert scalar(engine, "SELECT max(claims) FROM work_item") == 1


def test_an_engine_that_fails_is_told_once_and_the_other_item_is_put_back(
    engine: Engine,
    database: URL,
    settings: Settings,
    chat_server: ChatServer,
    planned: list[int],
) -> None:
    chat_server.delay_s = 0.1
    refused = (401, {}, json.dumps({"error": {"message": "this key was withdrawn"}}))
    chat_server.misbehave = lambda said, before: refused if len(chat_server.bodies) > 2 else None
    with hands(engine, database, settings) as performer:
        performer.perform(planned[0])
        assert not performer.perform(planned[1])  # the phase has ended
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, state, claims, error FROM work_item")).all()
    assert {row.id for row in rows if row.error} == {planned[0]}
    assert all(row.claims == 0 and row.state == "pending" for row in rows if not row.error)
    assert scalar(engine, "SELECT count(*) FROM answer") == 0


@pytest.mark.parametrize(
    ("in_flight", "batch", "beside"), [(1, 8, 0), (2, 8, 2), (8, 8, 6), (4, 8, 3), (64, 8, 7)]
)
def test_so_much_work_stands_beside_an_item_that_the_places_stay_filled(
    in_flight: int, batch: int, beside: int
) -> None:
    most, working, may_end = 0, 0, threading.Event()
    counting = threading.Lock()

    def slow(like: Claim) -> bool:
        nonlocal most, working
        with counting:
            working += 1
            most = max(most, working)
        may_end.wait(60)
        with counting:
            working -= 1
        return like is not held  # never another

    config = OpenAIConfig(
        model="m", base_url="http://127.0.0.1:9/v1", api_key_env=None, concurrency=in_flight
    )
    held = Claim(1, uuid.uuid4(), 1, "label", "teacher", 1, None, tuple(range(batch)))
    with EngineCache() as cache, Companions(cache, lambda lent: slow) as companions:
        companions.host(held).get(config)
        deadline = time.monotonic() + 60
        while most < beside and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)  # for one too many
        may_end.set()
        companions.wait()
    assert (most, working) == (beside, 0)


def test_nothing_stands_beside_an_item_that_was_lost_before() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(like: Claim) -> bool:
        begun.set()
        return not may_end.wait(60)

    config = OpenAIConfig(model="m", base_url="http://127.0.0.1:9/v1", api_key_env=None)
    held = Claim(1, uuid.uuid4(), 1, "label", "teacher", 1, None, (1,))
    with EngineCache() as cache, Companions(cache, lambda lent: slow) as companions:
        companions.host(held).get(config)
        assert begun.wait(60)
        got: list[object] = []
        suspect = replace(held, item_id=2, suspect=True)
        alone = threading.Thread(target=lambda: got.append(companions.host(suspect).get(config)))
        alone.start()
        time.sleep(0.2)
        assert got == []  # it waits for those beside the item before
        begun.clear()
        may_end.set()
        alone.join(60)
        assert got == [cache.loaded(config)]
        assert not begun.wait(0.1)


def test_a_model_makes_room_once_the_item_beside_has_ended() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(like: Claim) -> bool:
        del like
        begun.set()
        return not may_end.wait(60)

    first, second = (
        OpenAIConfig(model=name, base_url="http://127.0.0.1:9/v1", api_key_env=None)
        for name in ("a", "b")
    )
    held = Claim(1, uuid.uuid4(), 1, "label", "teacher", 1, None, (1,))
    with EngineCache() as cache, Companions(cache, lambda lent: slow) as companions:
        engines = companions.host(held)
        loaded = engines.get(first)
        assert begun.wait(60)
        changed: list[object] = []
        changing = threading.Thread(target=lambda: changed.append(engines.get(second)))
        changing.start()
        time.sleep(0.2)
        assert (cache.loaded(first), changed) == (loaded, [])
        may_end.set()
        changing.join(60)
        assert cache.loaded(first) is None
        assert changed == [cache.loaded(second)]


def test_sigterm_puts_back_all_that_is_in_hand(
    engine: Engine, settings: Settings, tmp_path: Path, chat_server: ChatServer
) -> None:
    served_run(engine, settings, tmp_path / "toy", chat_server)
    chat_server.delay_s = 600.0
    driver = comd("iterate", "toy", "--workers", "0")
    worker = comd("worker", "--roles", "teacher")
    wait_for(engine, "SELECT count(*) = 2 FROM work_item WHERE state = 'leased'")
    wait_for(engine, "SELECT count(*) = 1 FROM worker WHERE state = 'busy'")
    worker.terminate()
    output, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0, output
    assert "Traceback" not in output
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=60)
    assert scalar(engine, "SELECT count(*) FROM work_item WHERE state <> 'pending'") == 0
    assert scalar(engine, "SELECT max(claims) FROM work_item") == 0


def test_kill_9_with_two_items_in_hand(
    engine: Engine, settings: Settings, tmp_path: Path, chat_server: ChatServer
) -> None:
    served_run(engine, settings, tmp_path / "toy", chat_server)
    chat_server.delay_s = 0.5
    driver = comd("iterate", "toy", "--workers", "1")
    wait_for(engine, "SELECT count(*) = 2 FROM work_item WHERE state = 'leased'")
    victim = scalar(engine, "SELECT max(pid) FROM worker WHERE state <> 'stopped'")
    os.kill(victim, signal.SIGKILL)
    chat_server.delay_s = 0.0
    finish(driver)
    assert scalar(engine, "SELECT count(*) FROM work_item WHERE state <> 'done'") == 0
    labels = "SELECT count(*) FROM answer JOIN model ON model.id = model_id WHERE model.uri = 'm'"
    assert scalar(engine, labels) == BATCH * ITEMS
    assert scalar(engine, "SELECT count(*) FROM work_item WHERE claims = 2") == 2
