"""Further work items beside the first, where one server answers many requests at once.

Towards its end an item keeps a server busy with a handful of requests: the longest answers, a judge's
replies that are asked for once more. Meanwhile the first ones of other items are asked. The server's
`concurrency` holds for all of them together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Self

from comd_platform.config.engines import EngineConfig
from comd_platform.ledger import Claim
from comd_workers.engines.base import Engine, EngineError
from comd_workers.engines.cache import EngineCache, Engines

log = logging.getLogger(__name__)

AHEAD = 6
"""Requests that stand beside the first item's, to one that the server can answer at a time: the
longest of a few hundred answers takes three to five times as long as the mean, and so long nothing new
comes of its item."""
AT_MOST = 7
"""Items beside the first, however small they are: each holds a lease."""
LOOK_SECONDS = 0.05

PerformLike = Callable[[Claim], bool]
"""Does a pending work item like the claimed one; False when none was to be had or it was put back."""


class Companions:
    """Threads that do items like the one in the main thread's hands, with the model loaded there.

    They load and close nothing: the main thread invites them to a model, and waits for their items to
    end before that model makes room for another, or before a suspect is done, alone. `hands` makes
    what does an item with given engines.
    """

    def __init__(self, cache: EngineCache, hands: Callable[[Engines], PerformLike]) -> None:
        self._cache = cache
        self._perform_like = hands(_Guest(self, cache))
        # The main thread takes the lock itself: a signal may interrupt it anywhere, and within the
        # condition's own code it would leave the lock behind.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._like: Claim | None = None
        self._wanted = 0
        self._working = 0
        self._ended = False
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end(0.0)

    def end(self, grace_seconds: float) -> None:
        """No further item; those in hand have so long, then the engines are closed and they are put
        back."""
        until = time.monotonic() + grace_seconds
        with self._lock:
            self._like, self._ended = None, True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self._cache.close()
            for thread in self._threads:
                thread.join()

    def host(self, held: Claim) -> Engines:
        """The engines for an item in the main thread's hands; the companions do others like it."""
        return _Host(self, self._cache, held)

    def invite(self, like: Claim, count: int) -> None:
        """Do items like this one, `count` of them at a time, until there are none or `dismiss`."""
        with self._lock:
            if self._ended:
                return
            self._like, self._wanted = like, count
            while len(self._threads) < count:
                name = f"companion-{len(self._threads) + 1}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
            self._changed.notify_all()

    def dismiss(self) -> None:
        """No further item until invited again."""
        with self._lock:
            self._like = None

    def wait(self) -> None:
        """Until no item is in hand."""
        while self._working:  # looked at, not waited for: see `_lock`
            time.sleep(LOOK_SECONDS)

    def _run(self) -> None:
        while (like := self._begin()) is not None:
            done = False
            try:
                done = self._perform_like(like)
            except Exception:
                log.exception("a work item beside %s failed", like.item_id)
            finally:
                self._end_of_item(like, another=done)

    def _begin(self) -> Claim | None:
        """What the next item shall be like; None once all has ended."""

        def ready() -> bool:
            return self._ended or (self._like is not None and self._working < self._wanted)

        with self._changed:
            self._changed.wait_for(ready)
            if self._ended:
                return None
            self._working += 1
            return self._like

    def _end_of_item(self, like: Claim, *, another: bool) -> None:
        with self._changed:
            self._working -= 1
            if not another and self._like is like:
                self._like = None
            self._changed.notify_all()


class _Host:
    """The cache, which changes only while the companions have no item in hand."""

    def __init__(self, companions: Companions, cache: EngineCache, held: Claim) -> None:
        self._companions = companions
        self._cache = cache
        self._held = held

    def get(self, config: EngineConfig) -> Engine:
        alone = self._held.suspect
        if alone or self._cache.loaded(config) is None:
            self._companions.dismiss()
            self._companions.wait()
        engine = self._cache.get(config)
        if config.in_flight > 1 and not alone:
            ahead = -(-AHEAD * config.in_flight // max(1, len(self._held.subject_ids)))
            self._companions.invite(self._held, min(AT_MOST, ahead))
        return engine

    def close(self) -> None:
        """At once: what the companions have in hand is put back."""
        self._companions.dismiss()
        self._cache.close()
        self._companions.wait()


class _Guest:
    """What the main thread has loaded."""

    def __init__(self, companions: Companions, cache: EngineCache) -> None:
        self._companions = companions
        self._cache = cache

    def get(self, config: EngineConfig) -> Engine:
        """Raises EngineError where the main thread has closed it meanwhile."""
        engine = self._cache.loaded(config)
        if engine is None:
            raise EngineError(f"{config.model} is not loaded any more")
        return engine

    def close(self) -> None:
        """Nothing of ours; whether the engine still works, the main thread finds out."""
        self._companions.dismiss()
