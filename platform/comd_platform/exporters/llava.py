"""LLaVA's conversation records out of instructions: single turns, or merged dialogues (eq. 1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from comd_platform.exporters.rows import Row
from comd_platform.method.dialogues import IMAGE_TOKEN, Dialogue, SingleTurn, merge_turns

Layout = Literal["dialogues", "single"]
Record = dict[str, object]


def llava_records(rows: Sequence[Row], *, layout: Layout, seed: int) -> Iterator[Record]:
    """The records of one picture's instructions.

    `dialogues` merges them, the picture before or after the first question as drawn from `seed`
    (eq. 2); it needs every answer. `single` makes a record of each, the picture first; an instruction
    without an answer becomes a question alone. A record carries a task type where its turns agree.
    """
    if layout == "single":
        for row in rows:
            yield _record(row.key, row.image, [row.task_type], _single(row))
        return
    types = {row.key: row.task_type for row in rows}
    turns = [SingleTurn(row.key, row.question, _answer(row)) for row in rows]
    for dialogue in merge_turns(turns, seed):
        image = rows[0].image
        yield _record(
            dialogue.turns[0].key,
            image,
            [types[turn.key] for turn in dialogue.turns],
            _conversation(dialogue, has_image=image is not None),
        )


def _record(
    key: str, image: str | None, types: Sequence[str], conversations: list[dict[str, str]]
) -> Record:
    record: Record = {"id": key}
    if image is not None:
        record["image"] = image
    if len(set(types)) == 1:
        record["task_type"] = types[0]
    record["conversations"] = conversations
    return record


def _single(row: Row) -> list[dict[str, str]]:
    question = f"{IMAGE_TOKEN}\n{row.question}" if row.image is not None else row.question
    conversation = [{"from": "human", "value": question}]
    if row.answer is not None:
        conversation.append({"from": "gpt", "value": row.answer})
    return conversation


def _conversation(dialogue: Dialogue, *, has_image: bool) -> list[dict[str, str]]:
    conversation: list[dict[str, str]] = []
    for number, turn in enumerate(dialogue.turns):
        question = turn.question
        if number == 0 and has_image:
            parts = [IMAGE_TOKEN, question] if dialogue.image_first else [question, IMAGE_TOKEN]
            question = "\n".join(parts)
        conversation.append({"from": "human", "value": question})
        conversation.append({"from": "gpt", "value": turn.answer})
    return conversation


def _answer(row: Row) -> str:
    if row.answer is None:
        raise ValueError(f"the instruction {row.key} has no answer to stand in a dialogue")
    return row.answer
