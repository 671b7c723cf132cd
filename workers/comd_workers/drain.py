"""Leaving in good order: nothing new is claimed, what is in hand has seconds, then it is put back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

GRACE_SECONDS = 3.0
_AGAIN_SECONDS = 1.0


class PutBack(BaseException):
    """Drop what is being computed: its item goes back to the ledger.

    Not an Exception: no engine may take it for a failure of its own.
    """


class Drain:
    """Whether this worker was asked to leave, and the clock that then runs.

    An engine may be minutes away from its next answer, so after GRACE_SECONDS the computation is
    interrupted where it is, as Ctrl-C interrupts any Python program.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._inside = False
        self._overdue = False
        self._until = 0.0

    def install(self) -> None:
        """Take over SIGALRM; in the main thread, which is where work is computed."""
        signal.signal(signal.SIGALRM, self._ring)

    def begin(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """From here on nothing new is claimed. May be called from a signal handler."""
        self._until = time.monotonic() + grace_seconds
        self.asked.set()
        # Again and again: an exception that comes up in a destructor is lost.
        signal.setitimer(signal.ITIMER_REAL, max(0.001, grace_seconds), _AGAIN_SECONDS)

    def left(self) -> float:
        """Seconds of the grace that are left, at least 0; 0 too where nobody asked."""
        return max(0.0, self._until - time.monotonic())

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A computation that may be dropped. Raises PutBack within it once the grace is over."""
        self._inside = True
        try:
            if self._overdue:
                raise PutBack
            yield
        finally:
            self._inside = False

    def _ring(self, number: int, frame: object) -> None:
        del number, frame
        self._overdue = True
        if self._inside:
            raise PutBack
