"""Registry and cache: who is loaded, when, and who must go first."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from comd_platform.config.engines import EngineConfig, HfConfig, ScriptedConfig
from comd_workers.engines import registry
from comd_workers.engines.base import Engine, EngineError
from comd_workers.engines.cache import EngineCache
from comd_workers.engines.scripted import ScriptedEngine

A, B, C = (ScriptedConfig(options={"prefix": name}) for name in "abc")


class Log:
    """An opener that writes down what is opened and closed, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def open(self, config: EngineConfig) -> Engine:
        assert isinstance(config, ScriptedConfig)
        name = config.options["prefix"]
        events = self.events
        events.append(f"open {name}")

        class Logged(ScriptedEngine):
            def _close(self) -> None:
                events.append(f"close {name}")

        return Logged(config)


def test_a_loaded_engine_is_kept() -> None:
    log = Log()
    with EngineCache(opener=log.open) as cache:
        assert cache.get(A) is cache.get(A.model_copy())
    assert log.events == ["open a", "close a"]


def test_one_is_closed_before_another_loads() -> None:
    log = Log()
    cache = EngineCache(opener=log.open)
    cache.get(A)
    cache.get(B)
    assert log.events == ["open a", "close a", "open b"]
    assert len(cache) == 1


def test_the_one_unused_for_longest_goes() -> None:
    log = Log()
    cache = EngineCache(2, opener=log.open)
    for config in (A, B, A, C):
        cache.get(config)
    assert log.events == ["open a", "open b", "close b", "open c"]
    cache.close()
    cache.close()
    assert log.events[-2:] == ["close a", "close c"]


def test_an_engine_that_does_not_open_is_not_kept() -> None:
    cache = EngineCache()
    with pytest.raises(EngineError):
        cache.get(ScriptedConfig(model="nothing"))
    assert len(cache) == 0


def test_room_for_none_is_no_cache() -> None:
    with pytest.raises(ValueError, match="max_loaded"):
        EngineCache(0)


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_torch(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib, "import_module", without_torch)
    with pytest.raises(EngineError, match=r"needs torch.*pip install 'comd\[train\]'"):
        registry.open_engine(HfConfig(model="m"))


def test_our_own_missing_module_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ENGINES, "hf", ("comd_workers.engines.nothing", "train"))
    with pytest.raises(ModuleNotFoundError):
        registry.open_engine(HfConfig(model="m"))
