"""A vLLM server that the worker starts, watches and stops, behind the openai engine.

command: a config as a command line. keeper: the process between us and the server, which lets it
not outlive us. server: one server from start to stop. engine: the contract, over servers that die.
"""

from __future__ import annotations

from comd_workers.engines.vllm.engine import ServerDied, VllmEngine, open_engine

__all__ = ["ServerDied", "VllmEngine", "open_engine"]
