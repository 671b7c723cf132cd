"""What a branch shares of the iteration it starts from.

From that iteration on the branch's settings hold. Where they change nothing that the iteration did
(another tau, augmentor, seed: they speak of the next pool), it is shared whole. Where they do, the
branch makes the iteration once more on the same pool, and every row is looked up by content before
it is made: answers by model, a training by all that decides its weights, judgements by assessor. So
what the change does not touch is found and not done again.
"""

from __future__ import annotations

from typing import Any, get_args

from comd_platform.config.run import Role, RunConfig

ROLES: tuple[Role, ...] = get_args(Role)

# Sections of a config, and the first phase of an iteration that reads each. What stands nowhere here
# (the augmentor, the method's thresholds and budgets, the ledger) only matters for the next pool.
_READ_BY: tuple[tuple[str, str], ...] = (
    ("teacher", "label"),
    ("student", "tune"),
    ("training", "tune"),
    ("pools", "tune"),
    ("evaluation", "evaluate"),
    ("assessor", "judge"),
    ("method.judge_attempts", "judge"),
)


def first_touched(made: RunConfig, branch: RunConfig) -> str | None:
    """The first phase of an iteration made under `made` that would come out otherwise under `branch`.

    None where all of it still holds.
    """
    if _decontamination(made) != _decontamination(branch):
        return "decontaminate"
    before, after = _contents(made), _contents(branch)
    for section, phase in _READ_BY:
        if _at(before, section) != _at(after, section):
            return phase
    needs = branch.method.measure.needs
    if needs != "nothing" and needs != made.method.measure.needs:
        return "answer"
    if needs != "nothing" and branch.method.assess_last and not made.method.assess_last:
        return "answer"
    return None


def _decontamination(config: RunConfig) -> object:
    """What decides which instructions are kept out; None where none are looked for."""
    return (config.evaluation.benchmarks, config.decontamination) if config.decontaminates else None


def _contents(config: RunConfig) -> dict[str, Any]:
    """The config without what only says how fast and on which machine."""
    document = config.model_dump(mode="json")
    for role in ROLES:
        document[role]["model"] = config.engine(role).identity()
        del document[role]["batch"]
    document["training"] = config.training.hyperparameters().model_dump(mode="json")
    return document


def _at(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value[part]
    return value
