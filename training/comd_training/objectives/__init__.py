"""Training objectives by name. A new one is one file here and one line in `OBJECTIVES`."""

from __future__ import annotations

from collections.abc import Callable

from comd_training.failures import ConfigurationError
from comd_training.objectives.base import Batch, Objective, ObjectiveLoss
from comd_training.objectives.sft import SupervisedFineTuning

__all__ = ["OBJECTIVES", "Batch", "Objective", "ObjectiveLoss", "make_objective"]

OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "sft": SupervisedFineTuning,
}


def make_objective(name: str) -> Objective:
    """The objective of that name. Raises ConfigurationError, listing the names there are."""
    try:
        return OBJECTIVES[name]()
    except KeyError:
        raise ConfigurationError(
            f"there is no objective {name!r}; there are: {', '.join(sorted(OBJECTIVES))}"
        ) from None
