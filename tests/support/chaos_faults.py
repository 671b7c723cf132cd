"""The faults. Each returns what it did, in words, or None where there was nothing to do it to.

Workers use Celery's solo pool, so a worker has no prefork children: the process that is killed is the
worker itself, or the training that it supervises.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from chaos_target import Target, is_alive
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from comd_platform.db.embedded import EmbeddedPostgres


def kill_a_worker(to: Target, dice: random.Random) -> str | None:
    busy = to.busy_workers()
    if not busy:
        return None
    victim = dice.choice(busy)
    os.killpg(victim.pid, signal.SIGKILL)
    return f"in {victim.phase}"


def kill_the_driver(to: Target, dice: random.Random) -> str | None:
    del dice
    assert to.driver is not None
    to.driver.kill()
    to.driver.wait()
    return "anywhere"


def kill_the_training(to: Target, dice: random.Random) -> str | None:
    pids = _ranks(to)
    if not pids:
        return None
    os.kill(dice.choice(pids), signal.SIGKILL)
    return "anywhere"


def kill_postgres(to: Target, dice: random.Random) -> str | None:
    """SIGKILL to the postmaster; or an immediate shutdown, and a start after a while."""
    server = EmbeddedPostgres(to.home)
    pid = server.status().pid
    if pid is None:
        return None
    if dice.random() < 0.7:
        os.kill(pid, signal.SIGKILL)
        return "SIGKILL, started again by the run"
    os.kill(pid, signal.SIGQUIT)
    while server.status().pid is not None:
        time.sleep(0.05)
    time.sleep(2.0)
    server.start()
    return "immediate shutdown, back after 2 s"


def lose_all_bells(to: Target, dice: random.Random) -> str | None:
    del dice
    if to.redis is not None:
        port = to.environment["COMD_BROKER_URL"].rsplit(":", 1)[1].split("/")[0]
        with socket.create_connection(("127.0.0.1", int(port))) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(16).startswith(b"+OK")
        return "FLUSHALL"
    if not to.all("SELECT to_regproc('pgmq.purge_queue') IS NOT NULL AS there")[0].there:
        return None
    with contextlib.suppress(DBAPIError), to.engine.begin() as connection:
        connection.execute(text("SELECT pgmq.purge_queue(queue_name) FROM pgmq.list_queues()"))
    return "pgmq purge"


def freeze_a_worker(to: Target, dice: random.Random) -> str | None:
    """SIGSTOP until its item is not its own any more, then SIGCONT."""
    busy = to.busy_workers()
    if not busy:
        return None
    victim = dice.choice(busy)
    token = "SELECT token FROM work_item WHERE id = :item"
    before = to.all(token, item=victim.item)[0].token
    if before is None:
        return None
    os.kill(victim.pid, signal.SIGSTOP)
    to.wait_for(lambda: to.all(token, item=victim.item)[0].token != before, "a lease to run out")
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim.pid, signal.SIGCONT)
    return f"in {victim.phase}"


def _ranks(to: Target) -> list[int]:
    found = []
    for path in to.home.glob("artifacts/training/*/.pulse-*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(path.read_text().split()[0])
            if is_alive(pid):
                found.append(pid)
    return found


@dataclass(frozen=True)
class At:
    """SIGKILL of whoever comes to a named fault point next."""

    point: str


Blow = Callable[[Target, random.Random], str | None]

KINDS: dict[str, tuple[Blow | At, ...]] = {
    "kill -9 of a worker": (
        kill_a_worker,
        *map(At, ("worker.claimed", "worker.computed", "worker.writing", "worker.written")),
    ),
    "kill -9 of the driver": (
        kill_the_driver,
        *map(At, ("driver.planned", "driver.rung", "driver.advancing", "driver.advanced")),
    ),
    "kill -9 of PostgreSQL": (kill_postgres,),
    "every message lost": (lose_all_bells,),
    "worker frozen past its lease": (freeze_a_worker,),
    "kill -9 of the training": (
        *map(At, ("training.started", "training.step", "training.saving", "training.saved")),
        kill_the_training,
        *map(At, ("training.publishing", "training.published")),
    ),
}
