"""Runs a command, and ends it when the process that asked for it is gone, kill -9 included.

    python keeper.py PARENT_PID COMMAND [ARGUMENT ...]

It leads the process group that the command and all that it starts belong to. Run as a file, on the
standard library alone: it must start at once and stay small. Polling rather than PR_SET_PDEATHSIG,
which reaches one process, not a server's engines, and fires when the *thread* that started it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

LOOK_EVERY = 0.5
GRACE = 5.0


def keep(parent: int, command: list[str]) -> int:
    """The command's exit status, 128 + N where signal N ended it; does not return without `parent`."""
    # Handled, not ignored: what is ignored stays ignored in the command. Whoever stops the group
    # with SIGTERM still learns from us how the command ended.
    signal.signal(signal.SIGTERM, lambda *_: None)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - from the config
    while (status := _wait(process, LOOK_EVERY)) is None:
        if os.getppid() != parent:
            # Ask the group to leave, then end it, ourselves included.
            os.killpg(os.getpgrp(), signal.SIGTERM)
            _wait(process, GRACE)
            os.killpg(os.getpgrp(), signal.SIGKILL)
    return status if status >= 0 else 128 - status


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit status; None where the process still runs after so long."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), sys.argv[2:]))
