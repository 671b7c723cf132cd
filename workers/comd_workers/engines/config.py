"""The engines' configs, which are part of the run config and therefore live in the platform."""

from __future__ import annotations

from comd_platform.config.engines import (
    EngineConfig,
    HfConfig,
    OpenAIConfig,
    ScriptedConfig,
    VllmConfig,
)

__all__ = ["EngineConfig", "HfConfig", "OpenAIConfig", "ScriptedConfig", "VllmConfig"]
