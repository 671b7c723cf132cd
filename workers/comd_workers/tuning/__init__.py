"""How a student is tuned, by the engine that will run it: one line a kind."""

from __future__ import annotations

from collections.abc import Callable

from comd_workers.tuning import deepspeed, scripted
from comd_workers.tuning.order import Listener, Order, Result

Tuner = Callable[[Order, Listener], Result]

TUNERS: dict[str, Tuner] = {
    "hf": deepspeed.tune,
    "vllm": deepspeed.tune,
    "scripted": scripted.tune,
}

__all__ = ["TUNERS", "Listener", "Order", "Result", "Tuner"]
