"""How questions with options are put into words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from comd_platform.evaluation.grading import LIKELIHOOD
from comd_platform.evaluation.letters import LETTERS

LETTER_PLEASE: Final = "Answer with the option's letter from the given choices directly."


def worded(question: str, choices: Sequence[str], metric: str) -> str:
    """The question as `metric` asks it: alone where the choices are ranked, else with its options."""
    if metric == LIKELIHOOD:
        return question
    options = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)]
    return "\n".join([question, *options, LETTER_PLEASE])
