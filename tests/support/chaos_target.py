"""A run under attack: a server, a driver and workers of its own, and whether it gets on."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
        return run.driver == ours and all(is_alive(row.pid) for row in held)

    def busy_workers(self) -> list[Any]:
        """(pid, item, phase) of the living local workers that hold an item."""
        return [
            row
            for row in self.all(
                "SELECT worker.pid, w.id AS item, w.phase FROM work_item w"
                " JOIN worker ON worker.id = w.worker_id WHERE w.state = 'leased'"
            )
            if is_alive(row.pid)
        ]


def is_alive(pid: int) -> bool:
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
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.environ().get("COMD_HOME") == str(target.home)
            if ours and process.name() != "postgres":  # which the run may have started again
                process.kill()
    if target.driver is not None:
        target.driver.wait()
    if target.redis is not None:
        target.redis.kill()
        target.redis.wait()
