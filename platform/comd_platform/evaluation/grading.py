"""How a benchmark's metric asks, and what a reply is worth. Pure functions.

Three ways of asking: for a reply in words (the metrics of `scoring`, and `choice`: its one option
letter), for the likelihood of each choice as the continuation (`likelihood`), and for a reply that a
judge scores beside a reference answer (`judge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from comd_platform.evaluation.letters import LETTERS, read_option
from comd_platform.evaluation.scoring import METRICS, score

CHOICE: Final = "choice"
LIKELIHOOD: Final = "likelihood"
JUDGE: Final = "judge"
KNOWN: Final = (*METRICS, CHOICE, LIKELIHOOD, JUDGE)
WITH_CHOICES: Final = (CHOICE, LIKELIHOOD)


@dataclass(frozen=True, slots=True)
class Grade:
    """`score` 0 to 1, None until a judge has spoken; `choice` the option named, 0 for A."""

    score: float | None
    choice: int | None = None


def grade(
    metric: str, reply: str, answers: Sequence[str], choices: Sequence[str] | None = None
) -> Grade:
    """What a reply in words is worth. The answer of an item with choices is its letter.

    Raises ValueError for an unknown metric, and for `choice` without choices.
    """
    if metric == JUDGE:
        return Grade(None)
    if metric != CHOICE:
        return Grade(score(metric, reply, answers))
    if not choices:
        raise ValueError("an item without choices cannot be scored by its letter")
    option = read_option(reply, len(choices))
    return Grade(float(option is not None and LETTERS[option] in answers), option)


def rank(means: Sequence[float], answers: Sequence[str]) -> Grade:
    """What a ranking is worth: the most likely choice is the answer, of equal ones the first.

    `means` are log-probabilities *per token*, in nats: as in SEED-Bench's own evaluation, a short choice
    has no advantage.
    """
    option = max(range(len(means)), key=means.__getitem__)
    return Grade(float(LETTERS[option] in answers), option)
