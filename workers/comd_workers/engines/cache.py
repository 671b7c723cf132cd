"""Loaded engines, kept while there is room: an iteration swaps models, and one card is enough."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, Self

from comd_platform.config.engines import EngineConfig
from comd_workers.engines.base import Engine
from comd_workers.engines.registry import open_engine


class Engines(Protocol):
    """Where a work item gets its model from."""

    def get(self, config: EngineConfig) -> Engine:
        """The loaded engine of `config`. Raises EngineError."""
        ...

    def close(self) -> None:
        """Let go of whatever is loaded."""
        ...


class EngineCache:
    """At most `max_loaded` engines; the one unused for longest is closed *before* another loads.

    Two configs that differ in anything, even in what does not change the text (device, batch size),
    are two engines. Not thread-safe but for `loaded`.
    """

    def __init__(
        self, max_loaded: int = 1, *, opener: Callable[[EngineConfig], Engine] = open_engine
    ) -> None:
        if max_loaded < 1:
            raise ValueError(f"max_loaded must be >= 1, not {max_loaded}")
        self._max_loaded = max_loaded
        self._opener = opener
        self._loaded: OrderedDict[str, Engine] = OrderedDict()

    def __len__(self) -> int:
        return len(self._loaded)

    def get(self, config: EngineConfig) -> Engine:
        """The loaded engine of `config`, loading it if need be. Raises EngineError."""
        key = config.model_dump_json()
        engine = self._loaded.get(key)
        if engine is None:
            while len(self._loaded) >= self._max_loaded:
                self._loaded.popitem(last=False)[1].close()
            engine = self._loaded[key] = self._opener(config)
        self._loaded.move_to_end(key)
        return engine

    def loaded(self, config: EngineConfig) -> Engine | None:
        """The engine of `config` if it stands here; may be asked from another thread."""
        return self._loaded.get(config.model_dump_json())

    def close(self) -> None:
        while self._loaded:
            self._loaded.popitem(last=False)[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
