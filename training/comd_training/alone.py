"""One training at a time in an output directory: a lock that the ranks inherit. No torch here.

So nobody starts beside ranks that are still dying, and a lock that is held has somebody at work.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from comd_training.failures import HINTS, Failure, TrainingFailed
from comd_training.orphan import SUPERVISOR
from comd_training.spec import TrainingSpec

log = logging.getLogger(__name__)

BUSY_SECONDS = 10.0


@contextmanager
def alone(spec: TrainingSpec, owner: str | None, tend: Callable[[], None]) -> Iterator[IO[bytes]]:
    """Hold the directory's lock; where it is taken, wait, calling `tend` now and then.

    Ranks that work for the same `owner` are ended: their supervisor has lost its lease to us.
    Raises TrainingFailed ("busy") where those are not to be had, or nobody says who we are.
    """
    path = spec.output / ".lock"
    with path.open("ab") as lock:
        until = time.monotonic() + BUSY_SECONDS
        while not _take(lock):
            theirs = path.read_text(encoding="utf-8")
            if owner is not None and theirs == owner:
                _end_ranks(path)
            if (owner is None or theirs == owner) and time.monotonic() > until:
                told = f"{spec.output} is being trained into by {theirs or 'somebody'}"
                raise TrainingFailed(Failure("busy", told, HINTS["busy"]))
            tend()
            time.sleep(0.2)
        lock.truncate(0)
        lock.write((owner or "").encode())
        lock.flush()
        # Not unlocked by hand: closing our descriptor leaves the ranks' share of the lock alone.
        yield lock


def _take(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_ranks(path: Path) -> None:
    """Kill the ranks of this machine that hold the lock. Their supervisor is left alone."""
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            held = any(file.path == str(path.resolve()) for file in process.open_files())
            if held and SUPERVISOR in process.environ():
                log.warning("ending rank %s: its supervisor has lost its lease", process.pid)
                process.kill()
        except psutil.Error:  # ended meanwhile, or somebody else's
            continue
