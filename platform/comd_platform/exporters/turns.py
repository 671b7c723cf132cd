"""Instructions of one picture as conversations: what every format writes, in its own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from comd_platform.exporters.rows import Row
from comd_platform.method.dialogues import IMAGE_TOKEN, SingleTurn, merge_turns

Layout = Literal["dialogues", "single"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Rows in the order in which they are asked; `image_first` places the picture (eq. 2)."""

    rows: tuple[Row, ...]
    image_first: bool

    @property
    def id(self) -> str:
        return self.rows[0].key

    @property
    def image(self) -> str | None:
        return self.rows[0].image

    @property
    def task_type(self) -> str | None:
        """The turns' task type, where they agree."""
        types = {row.task_type for row in self.rows}
        return types.pop() if len(types) == 1 else None

    def said(self) -> Iterator[tuple[str, str]]:
        """(human or gpt, text), with the image token in the first question."""
        for number, row in enumerate(self.rows):
            question = row.question
            if number == 0 and self.image is not None:
                parts = (IMAGE_TOKEN, question) if self.image_first else (question, IMAGE_TOKEN)
                question = "\n".join(parts)
            yield "human", question
            if row.answer is not None:
                yield "gpt", row.answer


def conversations(rows: Sequence[Row], *, layout: Layout, seed: int) -> Iterator[Conversation]:
    """The conversations of one picture's instructions.

    `dialogues` merges them (eq. 1), the picture before or after the first question as drawn from
    `seed` (eq. 2); it needs every answer. `single` makes one of each, the picture first; an
    instruction without an answer becomes a question alone.
    """
    if layout == "single":
        yield from (Conversation((row,), image_first=True) for row in rows)
        return
    by_key = {row.key: row for row in rows}
    turns = [SingleTurn(row.key, row.question, _answer(row)) for row in rows]
    for dialogue in merge_turns(turns, seed):
        yield Conversation(
            tuple(by_key[turn.key] for turn in dialogue.turns), image_first=dialogue.image_first
        )


def _answer(row: Row) -> str:
    if row.answer is None:
        raise ValueError(f"the instruction {row.key} has no answer to stand in a dialogue")
    return row.answer
