"""What a training takes of memory, on the cards and beside them, and what of it fits. No torch here."""

from __future__ import annotations

from comd_training.memory.plan import Asked, Machine, NothingFits, Option, Plan, choose, plan
from comd_training.memory.settle import settle
from comd_training.memory.shape import ModelShape, guess_shape, parse_parameters, read_shape

__all__ = [
    "Asked",
    "Machine",
    "ModelShape",
    "NothingFits",
    "Option",
    "Plan",
    "choose",
    "guess_shape",
    "parse_parameters",
    "plan",
    "read_shape",
    "settle",
]
