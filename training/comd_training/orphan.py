"""A training process does not outlive the supervisor that started it."""

from __future__ import annotations

import os
import signal
import threading
import time

SUPERVISOR = "COMD_TRAINING_SUPERVISOR"


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
    threading.Thread(
        target=_watch, args=(int(supervisor), every), daemon=True, name="orphan-watch"
    ).start()


def _watch(supervisor: int, every: float) -> None:
    while os.getppid() == supervisor:
        time.sleep(every)
    os.killpg(os.getpgrp(), signal.SIGKILL)
