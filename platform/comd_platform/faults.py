"""Fault points: named places where a test may have a process die, freeze or fail. Off by default.

`COMD_FAULTS` names a directory. A file in it that is called like a fault point is a fault waiting to
happen: the first process to reach the point suffers what it says, once, and leaves the file behind as
`.taken.POINT.PID`.

    echo kill > $COMD_FAULTS/worker.computed

kill: SIGKILL to itself; freeze: SIGSTOP to itself, until somebody sends SIGCONT; out_of_memory:
MemoryError; disk_full: OSError with ENOSPC. Points: FAULT_POINTS.
"""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

VARIABLE = "COMD_FAULTS"

FAULT_POINTS = (
    "driver.planned",  # a phase's items stand, none is rung
    "driver.rung",  # bells are on their way
    "driver.advancing",  # a phase is over, its end not yet written
    "driver.advanced",  # the next phase stands in the rows
    "worker.claimed",  # an item is leased, nothing computed
    "worker.computed",  # results in memory, nothing written
    "worker.writing",  # results written, transaction still open
    "worker.written",  # committed
    "training.started",  # a rank is up, nothing loaded
    "training.step",  # an optimizer step is done
    "training.saving",  # the state is written aside, not yet renamed
    "training.saved",  # the state stands
    "training.publishing",  # the weights are written aside, not yet renamed
    "training.published",  # the checkpoint stands, no row knows it
)


def fault_point(name: str) -> None:
    """Suffer what is planted here; nothing, and at the price of a look, without COMD_FAULTS."""
    directory = os.environ.get(VARIABLE)
    if directory is None:
        return
    assert name in FAULT_POINTS, name
    planted = Path(directory) / name
    taken = planted.with_name(f".taken.{name}.{os.getpid()}")
    try:
        if planted.stat().st_size == 0:  # opened and not yet written: whoever comes next
            return
        planted.rename(taken)  # whoever comes second finds nothing
    except FileNotFoundError:
        return
    _suffer(taken.read_text(encoding="utf-8").strip(), name)


def _suffer(kind: str, name: str) -> None:
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif kind == "out_of_memory":
        raise MemoryError(f"planted at {name}")
    elif kind == "disk_full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
    else:
        raise ValueError(f"unknown fault {kind!r} at {name}")
