"""Several runs side by side on the same local workers: the demo's arms, an ablation's branches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from sqlalchemy import Engine, select

from comd_platform.db.engine import transaction
from comd_platform.db.outage import Patience
from comd_platform.loop.collapse import StudentCaughtUp
from comd_platform.loop.driver import Driver
from comd_platform.loop.port import Watcher, Workforce
from comd_platform.runs import chain
from comd_platform.settings import Settings
from comd_platform.tables import Run


class Fleet:
    """Drives runs at the same time, a thread each; they are independent, and each one resumes."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        workforce: Workforce,
        watch: Callable[[str], Watcher],
        stop: threading.Event,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._workforce = workforce
        self._watch = watch
        self._stop = stop

    def drive(
        self, names: Sequence[str], upto: int | None = None, *, side_by_side: int = 4
    ) -> dict[str, str]:
        """Drive all of them to iteration `upto`, or as far as their configs ask.

        Returns what was said of those whose student has caught up: they end early, the others go
        on. When one fails the others are asked to stop, and its error is raised.
        """
        ended: dict[str, str] = {}

        def one(name: str) -> None:
            if self._stop.is_set():
                return
            left = None if upto is None else upto - finished_iterations(self._engine, name)
            if left is not None and left <= 0:
                return
            driver = Driver(
                self._engine,
                self._workforce,
                self._watch(name),
                stop=self._stop,
                patience=Patience.of(self._settings, self._stop),
            )
            try:
                driver.run(name, left)
            except StudentCaughtUp as end:
                ended[name] = str(end)

        with ThreadPoolExecutor(side_by_side) as threads:
            _wait([threads.submit(one, name) for name in names], self._stop)
        return ended


def finished_iterations(engine: Engine, name: str) -> int:
    """How many iterations of a run are finished; none while the run does not stand."""
    with transaction(engine) as session:
        run = session.scalar(select(Run).where(Run.name == name))
        return sum(found.phase == "done" for found in chain(session, run)) if run else 0


def _wait(drives: Sequence[Future[None]], stop: threading.Event) -> None:
    done, pending = wait(drives, return_when=FIRST_EXCEPTION)
    if pending:
        stop.set()
        wait(pending)
    for drive in done:
        drive.result()
