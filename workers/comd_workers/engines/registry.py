"""From an engine's config to an engine: one line here per engine, imported only when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from comd_platform.config.engines import EngineConfig
from comd_workers.engines.base import Engine, EngineError

# config.engine -> module with `open_engine(config) -> Engine`, and the extra that it needs.
ENGINES: dict[str, tuple[str, str | None]] = {
    "hf": ("comd_workers.engines.hf", "train"),
    "openai": ("comd_workers.engines.openai", None),
    "vllm": ("comd_workers.engines.vllm", None),
    "scripted": ("comd_workers.engines.scripted", None),
}


def open_engine(config: EngineConfig) -> Engine:
    """Load the model that `config` names.

    Raises EngineError when it cannot be served at all: weights missing, no such script, no key, or
    a package that is not installed (then it names the extra to install).
    """
    module, extra = ENGINES[config.engine]
    try:
        loader = importlib.import_module(module).open_engine
    except ModuleNotFoundError as error:
        if extra is None or (error.name or "").startswith("comd_"):
            raise
        raise EngineError(
            f"the {config.engine} engine needs {error.name}, which is not installed: "
            f"pip install 'comd[{extra}]'"
        ) from error
    return cast("Callable[[EngineConfig], Engine]", loader)(config)
