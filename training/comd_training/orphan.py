"""A training process does not outlive the supervisor that started it."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from pathlib import Path

SUPERVISOR = "COMD_TRAINING_SUPERVISOR"

PATIENCE = 60.0
"""Seconds that a rank on another host goes on without a sign of the supervisor."""


def die_with_supervisor(every: float = 0.5) -> None:
    """Watch, from a thread, whether the process named in the environment is still our parent.

    When it is gone (kill -9 included) the whole process group, other ranks and data workers with
    us, is killed within `every` seconds. Without the variable, somebody started this by hand: no
    watch. Polling rather than PR_SET_PDEATHSIG: that one fires when the *thread* that started the
    process ends, and exists on Linux only.
    """
    supervisor = os.environ.get(SUPERVISOR)
    if supervisor is None:
        return
    _in_a_thread(_watch, int(supervisor), every)


def die_without_sign(sign: Path, every: float = 1.0, patience: float = PATIENCE) -> None:
    """The same for ranks whose supervisor is on another host, or not their parent: `sign` is its file.

    They end when the file is gone, another supervisor's, or has not been touched for `patience`
    seconds by the clock of this host (its own times are compared with each other only).
    """
    _in_a_thread(_watch_sign, sign, every, patience)


class Sign:
    """The supervisor's side: a file that says it is there, and which of them it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text(uuid.uuid4().hex, encoding="utf-8")

    def give(self) -> None:
        """Once more; a file that somebody took away stays away."""
        if self._path.exists():
            os.utime(self._path)

    def take_back(self) -> None:
        self._path.unlink(missing_ok=True)


def _in_a_thread(watch: object, *how: object) -> None:
    assert callable(watch)
    threading.Thread(target=watch, args=how, daemon=True, name="orphan-watch").start()


def _watch(supervisor: int, every: float) -> None:
    while os.getppid() == supervisor:
        time.sleep(every)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _watch_sign(sign: Path, every: float, patience: float) -> None:
    first = _read(sign)
    seen, since = first, time.monotonic()
    while True:
        now = _read(sign)
        if now != seen:
            seen, since = now, time.monotonic()
        if now is None or first is None or now[0] != first[0]:
            break
        if time.monotonic() - since > patience:
            break
        time.sleep(every)
    os.kill(os.getpid(), signal.SIGKILL)


def _read(sign: Path) -> tuple[str, int] | None:
    """Whose it is, and when it was touched."""
    try:
        return sign.read_text(encoding="utf-8"), sign.stat().st_mtime_ns
    except FileNotFoundError:
        return None
