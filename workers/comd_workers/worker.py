"""A worker process: a Celery worker with a solo pool, since CUDA does not survive a fork."""

from __future__ import annotations

import gc
import logging
import os
import platform
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from celery import Celery
from celery.signals import worker_shutting_down
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from comd_platform.db.engine import database_url, make_engine, transaction
from comd_platform.db.outage import Patience
from comd_platform.ledger import register_worker, retire_worker, session_name
from comd_platform.settings import Settings
from comd_workers.broker import TASK, make_app, queue_name
from comd_workers.drain import Drain
from comd_workers.engines.cache import EngineCache
from comd_workers.perform import Performer, performing
from comd_workers.perform.heartbeat import Heartbeat

log = logging.getLogger(__name__)


def run_worker(
    settings: Settings,
    roles: Sequence[str],
    *,
    name: str | None = None,
    max_loaded: int = 1,
    parent: int | None = None,
) -> None:
    """Serve `roles` until SIGTERM or SIGINT; the item in hand is finished or put back. Blocks.

    `parent`: the driver that started this worker; without it there is nothing left to serve.
    """
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True, name="parent-watch").start()
    url = database_url(settings)
    name = name or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    worker_id = _register(url, name, roles)
    database = make_engine(url, application_name=session_name(worker_id))
    drain = Drain()
    drain.install()
    patience = Patience.of(settings, drain.asked)
    with (
        EngineCache(max_loaded) as engines,
        Heartbeat(url, worker_id) as heartbeat,
        performing(
            database, settings, engines, heartbeat, worker_id, drain=drain, patience=patience
        ) as performer,
    ):
        app = make_app(settings)
        _define_task(app, performer)
        gc.freeze()  # modules stay: no collection need look through them again
        with _told_to_leave(drain):
            _serve(app, roles, name)
    try:
        with transaction(database) as session:
            retire_worker(session, worker_id)
    except DBAPIError as error:
        log.warning("could not sign off, the silence will tell: %s", error)
    database.dispose()


def _register(url: URL, name: str, roles: Sequence[str]) -> int:
    database = make_engine(url, pool_size=1)
    with transaction(database) as session:
        worker_id = register_worker(
            session,
            name=name,
            host=socket.gethostname(),
            pid=os.getpid(),
            roles=roles,
            device=_device(),
        )
    database.dispose()
    return worker_id


def _define_task(app: Celery, performer: Performer) -> None:
    def work(item_id: int) -> None:
        performer.perform(item_id)

    app.task(name=TASK, shared=False)(work)


@contextmanager
def _told_to_leave(drain: Drain) -> Iterator[None]:
    """Celery's own handlers of SIGTERM and SIGINT stop its consumer; the drain hears of it here."""

    def leave(**_: object) -> None:
        drain.begin()

    worker_shutting_down.connect(leave, weak=False)
    try:
        yield
    finally:
        worker_shutting_down.disconnect(leave)


def _serve(app: Celery, roles: Sequence[str], name: str) -> None:
    worker = app.Worker(
        pool="solo",
        concurrency=1,
        hostname=f"{name}@{socket.gethostname()}",
        queues=[queue_name(role) for role in roles],
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
        loglevel=logging.getLevelName(logging.getLogger().level),
        quiet=True,
    )
    worker.start()


def _device() -> str:
    """What this worker computes on, for people to read. Torch is not loaded for it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return f"cuda:{visible}"
    return "cuda" if Path("/proc/driver/nvidia").exists() else f"cpu ({platform.machine()})"


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    log.warning("the driver %s is gone, leaving", parent)
    os.kill(os.getpid(), signal.SIGTERM)
