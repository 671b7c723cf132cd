"""Which phases an iteration goes through, and in which order."""

from __future__ import annotations

from comd_platform.config.run import RunConfig

GROWING = ("augment", "accept")
"""They make the iteration's pool; the others work on a pool that is there."""


def phases_of(config: RunConfig, number: int) -> tuple[str, ...]:
    """The phases of one iteration, in order: what the selection measure does not read is not done."""
    method = config.method
    grows = config.bootstraps(number) or (number > 1 and method.measure.select)
    before = GROWING if grows else ()
    if config.decontaminates:
        before = (*before, "decontaminate")
    last = number >= config.iterations and not method.assess_last
    needs = "nothing" if last else method.measure.needs
    if needs == "judgements":
        return (*before, "label", "tune", "answer", "evaluate", "judge", "assess")
    if needs == "logprobs":
        return (*before, "label", "tune", "answer", "evaluate")
    return (*before, "label", "tune", "evaluate")


def phases_on_a_pool(config: RunConfig, number: int) -> tuple[str, ...]:
    """The phases of an iteration that is made once more on a pool that another one grew."""
    return tuple(phase for phase in phases_of(config, number) if phase not in GROWING)
