"""How many requests are in flight: as many as the server bears, found out as TCP does (AIMD)."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from comd_workers.engines.base import EngineError


class Pace:
    """A gate that lets `limit` calls in, of at most `most`. For the calls of one event loop.

    The first call goes alone: it tells whether key, model and server are right, so that a wrong key
    costs one request and not `most`. Then everybody goes, until the server says that it is too much:
    that halves the limit, once for all calls that were on their way; each call that goes well gives
    1/limit of it back. A call that is told that the engine cannot go on is the last, until `reopen`.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = 1.0
        self._proven = False
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._slowed = 0
        self._ended: EngineError | None = None

    async def enter(self) -> Call:
        """Wait for a place; leave it through the call. Raises EngineError once a call has."""
        self._check()
        if self._in_flight >= int(self.limit) or self._waiting:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            self._admit()
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._in_flight -= 1  # the place was given just now: somebody else takes it
                    self._admit()
                raise
            if self._ended is not None:
                self._in_flight -= 1
                self._check()
        else:
            self._in_flight += 1
        return Call(self, self._slowed)

    def went_well(self) -> None:
        if not self._proven:
            self._proven, self.limit = True, float(self.most)
        self.limit = min(float(self.most), self.limit + 1 / self.limit)

    def too_much(self, since: int) -> None:
        """`since`: the number of slowdowns when the call was sent; older calls knew no better."""
        if since == self._slowed:
            self._slowed += 1
            self.limit = max(1.0, self.limit / 2)

    def left(self, ended: EngineError | None = None) -> None:
        """`ended`: what this call was told, if it ends them all: nobody else asks the server."""
        self._in_flight -= 1
        self._ended = self._ended or ended
        self._admit()

    def reopen(self) -> None:
        """Nobody is left who was to be told: the next call finds out anew, alone."""
        if self._ended is not None:
            self._ended, self._proven, self.limit = None, False, 1.0

    def _check(self) -> None:
        if self._ended is not None:  # an exception is raised once: each caller gets its own
            raise EngineError(str(self._ended), hint=self._ended.hint)

    def _admit(self) -> None:
        """Let in as many of those who wait as there are places; all of them, to be told, at the end."""
        while self._waiting and (self._ended is not None or self._in_flight < int(self.limit)):
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)


class Call:
    """One call in flight: `with call:` gives its place back."""

    def __init__(self, pace: Pace, since: int) -> None:
        self._pace = pace
        self._since = since

    def went_well(self) -> None:
        """The server answered, whatever it said."""
        self._pace.went_well()

    def too_much(self) -> None:
        """The server is overloaded, too slow, or away."""
        self._pace.too_much(self._since)

    def __enter__(self) -> Call:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pace.left(error if isinstance(error, EngineError) else None)
