"""One held-out question, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One held-out question. `answers` are all that count as right; `groups` map a label's kind to
    the label, for scores by group.

    `question` is what is asked, options included. With `choices` the answer is a letter. `context` is
    what a judge is told of the picture.
    """

    key: str
    image: str | None
    question: str
    answers: tuple[str, ...]
    groups: dict[str, str]
    choices: tuple[str, ...] | None = None
    context: str | None = None
