"""A run under attack: processes that are killed and started again, and the faults that do it.

Workers use Celery's solo pool, so a worker has no prefork children: the process that is killed is the
worker itself, or the training that it supervises.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from comd_platform.db.embedded import EmbeddedPostgres
from comd_platform.db.engine import make_engine
from comd_platform.faults import VARIABLE

PATIENCE_SECONDS = 900.0
"""Without any progress for so long the run is given up as hung. Never an assertion about speed."""


class Hung(AssertionError):
    """The run did not get on any more."""


@dataclass
class Target:
    """One run on a server of its own, and everything that may be done to it."""

    run: str
    home: Path
    engine: Engine
    environment: dict[str, str]
    workers: int
    driver: subprocess.Popen[bytes] | None = None
    drivers: int = 0
    redis: subprocess.Popen[bytes] | None = None

    @property
    def faults(self) -> Path:
        return self.home / "faults"

    @property
    def log(self) -> Path:
        return self.home / "driver.log"

    def start_driver(self) -> None:
        """As a user would give the same command again."""
        with self.log.open("ab") as log:
            self.driver = subprocess.Popen(
                [
                    *(sys.executable, "-m", "comd_workers", "iterate", self.run),
                    *("--workers", str(self.workers), "--wait"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )
        self.drivers += 1

    def keep_driven(self) -> bool:
        """Start the driver again if it was killed; True once one has ended well."""
        assert self.driver is not None
        code = self.driver.poll()
        if code == 0:
            return True
        if code is not None:
            assert code == -signal.SIGKILL, f"the driver ended with {code}:\n{self.tail()}"
            self.start_driver()
        return False

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def all(self, statement: str, **parameters: object) -> list[Any]:
        """Rows of a query; a database that is away is waited for."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with self.engine.connect() as connection:
                    return list(connection.execute(text(statement), parameters))
            except DBAPIError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def progress(self) -> tuple[object, ...]:
        """Changes whenever the run gets on: an item done, a phase begun, a step of a training."""
        return tuple(
            self.all(
                "SELECT (SELECT count(*) FROM work_item WHERE state IN ('done', 'split')),"
                " (SELECT count(*) FROM iteration_phase),"
                " (SELECT count(*) FROM training_metric),"
                " (SELECT sum(saved_step) FROM training_run)"
            )[0]
        )

    def wait_for(self, what: Callable[[], Any], told: str) -> Any:
        """The first true answer; the driver is kept running meanwhile. Raises Hung."""
        since = time.monotonic()
        while True:
            found = what()
            if found:
                return found
            if self.keep_driven():
                return None
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise Hung(f"waited for {told}:\n{self.tail()}")
            time.sleep(0.05)

    def sound(self) -> bool:
        """Nothing is held by the dead, and the driver that runs now has the run."""
        assert self.driver is not None
        [run] = self.all("SELECT driver FROM run WHERE name = :run", run=self.run)
        held = self.all(
            "SELECT worker.pid FROM work_item w JOIN worker ON worker.id = w.worker_id"
            " WHERE w.state = 'leased'"
        )
        ours = f"{socket.gethostname()}:{self.driver.pid}"
        return run.driver == ours and all(_alive(row.pid) for row in held)

    def busy_workers(self) -> list[Any]:
        """(pid, item, phase) of the living local workers that hold an item."""
        return [
            row
            for row in self.all(
                "SELECT worker.pid, w.id AS item, w.phase FROM work_item w"
                " JOIN worker ON worker.id = w.worker_id WHERE w.state = 'leased'"
            )
            if _alive(row.pid)
        ]


def _alive(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})
    return False


@contextmanager
def target(run: str, workers: int, *, redis: bool = False, **environment: str) -> Iterator[Target]:
    """A fresh home with a server of its own; everything that it started is ended in the end."""
    with tempfile.TemporaryDirectory(prefix="comd-chaos-") as directory:
        home = Path(directory)
        home.chmod(0o711)
        (home / "faults").mkdir()
        server = EmbeddedPostgres(home)
        server.start()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("COMD_")}
        kept |= {"COMD_HOME": str(home), VARIABLE: str(home / "faults")} | environment
        url = make_url(server.url()).set(drivername="postgresql+psycopg")
        made = Target(run, home, make_engine(url), kept, workers)
        if redis:
            _start_redis(made)
        try:
            yield made
        finally:
            _end(made)
            made.engine.dispose()
            with contextlib.suppress(Exception):
                server.start()
            server.stop()


def _start_redis(to: Target) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = shutil.which("redis-server")
    assert program is not None
    to.redis = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    to.environment["COMD_BROKER_URL"] = f"redis://127.0.0.1:{port}/0"


def _end(target: Target) -> None:
    mine = f"COMD_HOME={target.home}"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("COMD_HOME") == mine.split("=", 1)[1]:
                process.kill()
    if target.driver is not None:
        target.driver.wait()
    if target.redis is not None:
        target.redis.kill()
        target.redis.wait()


# The faults. Each returns what it did, in words, or None where there was nothing to do it to.


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
            if _alive(pid):
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


def _taken_at(to: Target, point: str) -> float:
    """When somebody came to a fault point: the clock at which the planted file was renamed."""
    [taken] = to.faults.glob(f".taken.{point}.*")
    when = taken.stat().st_ctime
    taken.unlink()
    return when


@dataclass
class Inflicted:
    """One fault, and the seconds until the run got on again, nothing held by the dead."""

    kind: str
    how: str
    recovered: float


PLANTED_AT_ONCE = 3


@dataclass
class Attack:
    """A seeded order of faults; each comes as soon as the run has got on since the one before."""

    quota: dict[str, int]
    seed: int
    done: list[Inflicted] = field(default_factory=list)

    def on(self, to: Target) -> bool:
        """Until the quota is used up or the run has ended; True where it was used up."""
        dice = random.Random(self.seed)
        waiting = [kind for kind, count in self.quota.items() for _ in range(count)]
        dice.shuffle(waiting)
        turns = dict.fromkeys(KINDS, 0)
        planted: dict[str, str] = {}
        while (waiting or planted) and not to.keep_driven():
            for point in [each for each in planted if not (to.faults / each).exists()]:
                hit = time.monotonic() - (time.time() - _taken_at(to, point))
                self._record(to, planted.pop(point), f"at {point}", hit)
            time.sleep(0.05)
            if not waiting:
                continue
            kind = waiting.pop(0)
            way = KINDS[kind][turns[kind] % len(KINDS[kind])]
            turns[kind] += 1
            if isinstance(way, At):
                if way.point in planted or len(planted) >= PLANTED_AT_ONCE:
                    waiting.append(kind)
                    continue
                planted[way.point] = kind
                (to.faults / way.point).write_text("kill")
                continue
            hit = time.monotonic()
            how = way(to, dice)
            if how is None:  # nothing to do it to just now: another kind first
                waiting.append(kind)
                continue
            self._record(to, kind, how, hit)
        for point in planted:
            (to.faults / point).unlink(missing_ok=True)
        return not waiting and not planted

    def left(self) -> dict[str, int]:
        """What of the quota is still to be done."""
        found = dict(self.quota)
        for each in self.done:
            found[each.kind] -= 1
        return {kind: count for kind, count in found.items() if count > 0}

    def _record(self, to: Target, kind: str, how: str, hit: float) -> None:
        seen = to.progress()
        to.wait_for(lambda: to.progress() != seen and to.sound(), f"progress after {kind} {how}")
        self.done.append(Inflicted(kind, how, time.monotonic() - hit))
        told = f"seed {self.seed}, fault {len(self.done)}: {kind}, {how}"
        print(f"{told}: {self.done[-1].recovered:.1f} s", flush=True)

    def finish(self, to: Target) -> None:
        """Wait for the run's good end. Raises Hung."""
        seen, since = to.progress(), time.monotonic()
        while not to.keep_driven():
            now = to.progress()
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise Hung(f"the run stopped getting on:\n{to.tail()}")
            time.sleep(0.2)
