"""Single turns and multi-turn dialogues (sections 3.1 and 3.3.1, eq. 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from comd_platform.errors import ComdError
from comd_platform.method.seeds import content_seed

IMAGE_TOKEN = "<image>"  # noqa: S105 - a placeholder in the text, not a secret


class DialogueError(ComdError):
    """A record's conversation is not one of questions and answers about one image."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a record; `answer` is None where the record stops at the question."""

    question: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class SingleTurn:
    """One instruction X_k with the answer A_k that the student learns from (eq. 4)."""

    key: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A multi-turn dialogue about one image (eq. 1), and where the image stands in it (eq. 2)."""

    turns: tuple[SingleTurn, ...]
    image_first: bool  # [P, V, Q_1] if true, else [P, Q_1, V]


def to_single_turns(conversations: Sequence[Mapping[str, object]]) -> list[Turn]:
    """Return a LLaVA record's `conversations` as single turns, without the image token.

    Each element is {"from": "human" | "gpt", "value": str}. A leading gpt turn is dropped, as LLaVA
    does. The image token may stand anywhere in a question; the white space around it goes with it
    (where it parts two pieces of text, one line break or space stays).

    Raises:
        DialogueError: naming the turn (counted from 1), if speakers do not alternate or are
            unknown, a value is missing or empty, there is no question, or there is more than one
            image token.
    """
    turns: list[Turn] = []
    images = 0
    for number, (speaker, value) in enumerate(_messages(conversations), start=1):
        if speaker == "gpt":
            if number == 1:
                continue
            if not turns or turns[-1].answer is not None:
                raise DialogueError(f"turn {number}: an answer follows an answer")
            if not value.strip():
                raise DialogueError(f"turn {number}: the answer is empty")
            turns[-1] = Turn(turns[-1].question, value.strip())
            continue
        if turns and turns[-1].answer is None:
            raise DialogueError(f"turn {number}: a question follows a question")
        images += value.count(IMAGE_TOKEN)
        if images > 1:
            raise DialogueError(
                f"turn {number}: a second {IMAGE_TOKEN}",
                hint="comd's instructions are about one image; leave such records out",
            )
        question = without_image_token(value)
        if not question:
            raise DialogueError(f"turn {number}: the question is empty")
        turns.append(Turn(question, None))
    if not turns:
        raise DialogueError("there is no question in the conversation")
    return turns


def _messages(conversations: Sequence[Mapping[str, object]]) -> Iterable[tuple[str, str]]:
    for number, message in enumerate(conversations, start=1):
        speaker, value = message.get("from"), message.get("value")
        if speaker not in ("human", "gpt"):
            raise DialogueError(f"turn {number}: 'from' must be 'human' or 'gpt', got {speaker!r}")
        if not isinstance(value, str):
            raise DialogueError(f"turn {number}: 'value' must be a string, got {value!r}")
        yield str(speaker), value


def without_image_token(question: str) -> str:
    """Return `question` without image tokens, tidied where they stood, and stripped."""
    pieces = question.split(IMAGE_TOKEN)
    tidy = pieces[0]
    for piece in pieces[1:]:
        left, right = tidy.rstrip(), piece.lstrip()
        gap = tidy[len(left) :] + piece[: len(piece) - len(right)]
        joint = "\n" if "\n" in gap else " " if gap else ""
        tidy = left + joint + right
    return tidy.strip()


def merge_turns(
    turns: Sequence[SingleTurn], seed: int, max_turns: int | None = None
) -> list[Dialogue]:
    """Return the single turns of *one* image as multi-turn dialogues (section 3.3.1, eq. 1).

    The turns stand in the order of their keys, whatever order they come in: one dialogue (the
    paper), or as many as `max_turns` asks for, of sizes that differ by at most one. The image stands
    before or after the first question at random (eq. 2), drawn from `seed` and that question's key.
    `split_dialogues` is the inverse, up to that order.

    Raises:
        ValueError: if a key occurs twice or `max_turns` is less than 1.
    """
    if max_turns is not None and max_turns < 1:
        raise ValueError(f"max_turns must be at least 1, got {max_turns}")
    ordered = sorted(turns, key=lambda turn: turn.key)
    for before, after in pairwise(ordered):
        if before.key == after.key:
            raise ValueError(f"the key {after.key!r} occurs twice among the turns of one image")
    if not ordered:
        return []
    count = 1 if max_turns is None else -(-len(ordered) // max_turns)
    bounds = [len(ordered) * part // count for part in range(count + 1)]
    return [
        Dialogue(tuple(ordered[start:end]), _image_first(seed, ordered[start].key))
        for start, end in pairwise(bounds)
    ]


def split_dialogues(dialogues: Iterable[Dialogue]) -> list[SingleTurn]:
    """Return the single turns of `dialogues`, in order: the inverse of `merge_turns`."""
    return [turn for dialogue in dialogues for turn in dialogue.turns]


def _image_first(seed: int, key: str) -> bool:
    return content_seed(seed, "image position", key) & 1 == 0
