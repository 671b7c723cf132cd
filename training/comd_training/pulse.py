"""Signs of life of each rank, and who stopped giving them. No torch here.

A collective operation waits for all ranks, so when one hangs all of them do; who hangs is told by
how often each has pulsed: the one behind the others is the one that the others wait for.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from comd_training.spec import TrainingSpec


def _path(output: Path, rank: int) -> Path:
    return output / f".pulse-{rank}"


class Pulse:
    """One rank's: a line of fixed length in a file, overwritten at every micro batch."""

    def __init__(self, output: Path, rank: int) -> None:
        self._file = os.open(_path(output, rank), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self._count = 0

    def __call__(self, step: int, where: str) -> None:
        """`step` done so far; `where`: what is done next, a word or two."""
        self._count += 1
        line = f"{os.getpid():>10} {self._count:>10} {step:>10} {where:<20}\n"
        os.pwrite(self._file, line.encode(), 0)


@dataclass(frozen=True, slots=True)
class Sign:
    """The last that was heard of a rank."""

    rank: int
    pid: int
    count: int
    step: int
    where: str


class Watchdog:
    """Says when no rank has given a sign for `seconds`; None never does."""

    def __init__(self, spec: TrainingSpec) -> None:
        self._spec = spec
        self._last: list[Sign] = []
        self._changed = time.monotonic()
        for rank in range(spec.ranks):
            _path(spec.output, rank).unlink(missing_ok=True)

    @property
    def seconds(self) -> float | None:
        return self._spec.hang_seconds

    def hung(self) -> str | None:
        """What to tell about a training that has stopped moving; None while it moves."""
        if self.seconds is None:
            return None
        signs = [sign for rank in range(self._spec.ranks) if (sign := self._sign(rank))]
        now = time.monotonic()
        if signs != self._last:
            self._last, self._changed = signs, now
        if now - self._changed < self.seconds:
            return None
        return self._tell(now - self._changed)

    def _sign(self, rank: int) -> Sign | None:
        try:
            parts = _path(self._spec.output, rank).read_text(encoding="utf-8").split(maxsplit=3)
        except FileNotFoundError:
            return None
        if len(parts) < 4:
            return None
        return Sign(rank, int(parts[0]), int(parts[1]), int(parts[2]), parts[3].strip())

    def _tell(self, seconds: float) -> str:
        silent = set(range(self._spec.ranks)) - {sign.rank for sign in self._last}
        if silent:
            ranks = ", ".join(map(str, sorted(silent)))
            return f"rank {ranks} gave no sign of life in {seconds:.0f} s"
        behind = min(sign.count for sign in self._last)
        if self._spec.ranks > 1 and all(sign.count == behind for sign in self._last):
            return f"all ranks have waited for each other for {seconds:.0f} s{self._stopped()}"
        slow = next(sign for sign in self._last if sign.count == behind)
        return (
            f"rank {slow.rank} (pid {slow.pid}) has not moved for {seconds:.0f} s, "
            f"after step {slow.step}, at: {slow.where}{self._stopped()}"
        )

    def _stopped(self) -> str:
        stopped = [str(sign.rank) for sign in self._last if _is_stopped(sign.pid)]
        return f"; rank {', '.join(stopped)} is stopped by a signal" if stopped else ""


def _is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False
