"""Counting what completions take, for a row each and for a work item."""

from __future__ import annotations

from dataclasses import dataclass

from comd_workers.engines.base import Completion


@dataclass(slots=True)
class Meter:
    """What has been asked so far. `cost` is None until a completion has one."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None

    def count(self, completion: Completion) -> None:
        self.requests += 1
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        self.cached_tokens += completion.cached_tokens
        if completion.cost is not None:
            self.cost = (self.cost or 0.0) + completion.cost


def spent(completion: Completion) -> dict[str, object]:
    """The columns of a row that keeps this completion (`tables.spending.Spent`)."""
    return {
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "cached_tokens": completion.cached_tokens,
        "cost": completion.cost,
    }
