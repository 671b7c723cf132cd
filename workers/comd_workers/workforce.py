"""The driver's side of the workers: bells over the broker, and local workers where there is nobody."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from kombu.exceptions import OperationalError

from comd_platform.db.engine import database_url, make_engine, transaction
from comd_platform.errors import ComdError
from comd_platform.ledger import alive_workers, done_within
from comd_platform.settings import Settings
from comd_platform.tables import ROLES
from comd_workers.broker import TASK, make_app, queue_name

log = logging.getLogger(__name__)

_TEND_SECONDS = 2.0
_LOOK_SECONDS = 5.0
_DEATHS = 10
_DEATHS_WITHIN_SECONDS = 120.0
_BROKER_PAUSE_SECONDS = 2.0
_TELL_AFTER_SECONDS = 10.0  # an ordinary end on a busy machine takes some


class NobodyWorks(ComdError):
    """There is no worker, and local ones cannot be kept alive."""


class Bells:
    """Rings through Celery. A bell that cannot be rung now is rung again by the driver."""

    def __init__(self, settings: Settings) -> None:
        self._app = make_app(settings)
        self._away_until = 0.0
        self._connect()

    def ring(self, item_id: int, role: str) -> None:
        if time.monotonic() < self._away_until:
            return
        try:
            self._app.send_task(
                TASK,
                args=(item_id,),
                queue=queue_name(role),
                producer=self._producer,
                retry=False,
            )
        except (*self._connection.connection_errors, OperationalError, OSError) as error:
            log.warning("the broker is away, item %s will be rung again: %s", item_id, error)
            self._away_until = time.monotonic() + _BROKER_PAUSE_SECONDS
            self._connection.release()  # a producer keeps the channel that it lost
            self._connect()

    def close(self) -> None:
        self._connection.release()
        self._app.close()

    def _connect(self) -> None:
        self._connection = self._app.connection_for_write()
        self._producer = self._app.amqp.Producer(self._connection)


class LocalWorkers:
    """`count` worker processes of this machine for all roles, started again when they die.

    `working`: whether any work has been done in the last so many seconds.
    """

    def __init__(
        self,
        settings: Settings,
        count: int,
        *,
        max_loaded: int = 1,
        working: Callable[[float], bool],
    ) -> None:
        self._settings = settings
        self._working = working
        self._logs = settings.home / "logs"
        self._max_loaded = max_loaded
        self._slots: list[subprocess.Popen[bytes] | None] = [None] * count
        self._deaths: deque[float] = deque(maxlen=_DEATHS)
        self._tended = 0.0

    def tend(self) -> None:
        """Start what is not running.

        Raises NobodyWorks when workers die again and again and nothing is done in between.
        """
        if time.monotonic() - self._tended < _TEND_SECONDS:
            return
        self._tended = time.monotonic()
        for slot, process in enumerate(self._slots):
            if process is not None and process.poll() is None:
                continue
            if process is not None:
                log.warning("local worker %s ended with %s", process.pid, process.returncode)
                self._deaths.append(time.monotonic())
                if self._dying():
                    raise NobodyWorks(
                        f"local workers ended {_DEATHS} times within {_DEATHS_WITHIN_SECONDS:.0f} s",
                        hint=f"Their logs are in {self._logs}.",
                    )
            self._slots[slot] = self._start(slot)

    def _dying(self) -> bool:
        recent = len(self._deaths) == _DEATHS
        if not recent or time.monotonic() - self._deaths[0] > _DEATHS_WITHIN_SECONDS:
            return False
        return not self._working(_DEATHS_WITHIN_SECONDS)

    def stop(self, patience_seconds: float = 120.0) -> None:
        """Ask all to put back what they hold, which takes seconds; only a training that saves a
        large state may need longer. Whoever takes too long is ended, and its lease runs out."""
        running = [process for process in self._slots if process and process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        told = False
        while any(process.poll() is None for process in running):
            waited = time.monotonic() - asked
            if waited > patience_seconds:
                break
            if waited > _TELL_AFTER_SECONDS and not told:
                log.warning(
                    "waiting up to %.0f s for workers to put back what they hold (a training saves "
                    "where it stands); Ctrl-C once more leaves at once",
                    patience_seconds,
                )
                told = True
            time.sleep(0.05)
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._slots = [None] * len(self._slots)

    def _start(self, slot: int) -> subprocess.Popen[bytes]:
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"worker-{slot}.log").open("ab") as log_file:
            return subprocess.Popen(  # noqa: S603 - ourselves
                [
                    sys.executable,
                    "-m",
                    "comd_workers",
                    "worker",
                    "--roles",
                    ",".join(ROLES),
                    "--max-loaded",
                    str(self._max_loaded),
                    "--with-parent",
                    str(os.getpid()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_environment(self._settings, len(self._slots)),
            )


class Workforce:
    """What the driver rings and tends: registered workers, or else local ones."""

    def __init__(
        self, settings: Settings, *, local: int | None = None, max_loaded: int = 1
    ) -> None:
        """`local`: None starts local workers as soon as some role has nobody; 0 never does."""
        self._settings = settings
        self._one_at_a_time = threading.Lock()  # several drivers may share a workforce
        self._bells = Bells(settings)
        self._database = make_engine(database_url(settings), pool_size=1)
        self._max_loaded = max_loaded
        self._automatic = local is None
        self._looked = 0.0
        self._local: LocalWorkers | None = None
        if local:
            self._start(local)
        self.tend()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._local is not None:
            self._local.stop()
        self._database.dispose()
        self._bells.close()

    def ring(self, item_id: int, role: str) -> None:
        with self._one_at_a_time:
            self._bells.ring(item_id, role)

    def tend(self) -> None:
        with self._one_at_a_time:
            if self._local is not None:
                self._local.tend()
            elif time.monotonic() - self._looked > _LOOK_SECONDS:
                self._look()

    def _look(self) -> None:
        """See whether each role has somebody; workers may leave while a run goes on."""
        self._looked = time.monotonic()
        with transaction(self._database) as session:
            missing = [role for role in ROLES if not alive_workers(session, role)]
        if missing and self._automatic:
            self._start(_local_count())
        elif missing:
            log.warning("nobody works as %s: comd worker --roles …", ", ".join(missing))

    def _start(self, count: int) -> None:
        self._local = LocalWorkers(
            self._settings, count, max_loaded=self._max_loaded, working=self._working
        )
        self._local.tend()

    def _working(self, seconds: float) -> bool:
        with transaction(self._database) as session:
            return done_within(session, seconds)


def _local_count() -> int:
    """One worker where there are GPUs, so that models are swapped and never share a card, and a
    training sees all of them; else two, a core each. More are started by hand: `comd worker`."""
    if shutil.which("nvidia-smi"):
        return 1
    return min(2, os.cpu_count() or 1)


def _environment(settings: Settings, workers: int) -> dict[str, str]:
    """The driver's environment; threads shared out, since two workers on two cores need one each."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    environment = dict(os.environ)
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    environment["COMD_HOME"] = str(Path(settings.home).absolute())
    return environment
