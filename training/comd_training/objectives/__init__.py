"""Training objectives by name. A new one is one file here and one line in `OBJECTIVES`, and its options
as a model in `comd_platform.config.objectives`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comd_platform.config.objectives import ObjectiveConfig
from comd_training.objectives.base import Batch, Objective, ObjectiveLoss, Pair
from comd_training.objectives.joint import JointDistillation
from comd_training.objectives.logit_kd import LogitDistillation
from comd_training.objectives.sft import SupervisedFineTuning
from comd_training.objectives.token_kd import TokenDistillation

__all__ = ["OBJECTIVES", "Batch", "Objective", "ObjectiveLoss", "Pair", "make_objective"]

OBJECTIVES: dict[str, Callable[[Any, Pair], Objective]] = {
    "sft": SupervisedFineTuning,
    "logit_kd": LogitDistillation,
    "token_kd": TokenDistillation,
    "joint": JointDistillation,
}


def make_objective(config: ObjectiveConfig, pair: Pair) -> Objective:
    """The objective that `config` names; it may add to the student what is trained with it."""
    return OBJECTIVES[config.name](config, pair)
