"""What each language model reads while it is made: streams of dialogues about scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from comd_tinyworld.characters import COMMON, NAMES, characters
from comd_tinyworld.questions import ALL_TYPES, Type, answers
from comd_tinyworld.roles import Turn, answering, any_type, ask, augmenting, judging
from comd_tinyworld.scenes import Scene, scene
from comd_tinyworld.seeds import generator

Message = dict[str, Any]
SCENES_EACH = 100
"""Different pictures of each character that a language model learns from."""
KNOWLEDGE_SHARE = 0.7


@dataclass(frozen=True)
class Example:
    """A dialogue about one scene, given by its index in the stream's scenes."""

    scene: int
    turns: tuple[Turn, ...]
    image_first: bool

    def messages(self) -> list[Message]:
        """The dialogue as chat messages; the picture stands in the first user turn."""
        messages: list[Message] = []
        for i, turn in enumerate(self.turns):
            content: list[Message] = [{"type": "text", "text": turn.user}]
            if i == 0:
                content.insert(0 if self.image_first else 1, {"type": "image"})
            messages += [
                {"role": "user", "content": content},
                {"role": "assistant", "content": [{"type": "text", "text": turn.reply}]},
            ]
        return messages


def teacher_scenes() -> list[Scene]:
    """Every character equally often: the teacher has seen the whole world."""
    cast = characters()
    count = SCENES_EACH * len(NAMES)
    return [scene("teacher-train", i, cast[i % len(NAMES)]) for i in range(count)]


def student_scenes() -> list[Scene]:
    """Common characters only: of the tail the student has no idea."""
    cast = characters()
    return [scene("student-train", i, cast[i % COMMON]) for i in range(SCENES_EACH * COMMON)]


def teacher_examples(scenes: list[Scene]) -> Iterator[Example]:
    """Without end: answering, judging and augmenting, 28 : 56 : 16."""
    rng = generator("teacher curriculum")
    while True:
        i = int(rng.integers(len(scenes)))
        role = rng.random()
        if role < 0.28:
            yield _dialogue(rng, i, scenes[i], longest=3)
        elif role < 0.84:
            question = ask(rng, _judged_type(rng))
            yield Example(i, (judging(rng, scenes[i], question),), _coin(rng))
        else:
            question = ask(rng, any_type(rng, KNOWLEDGE_SHARE))
            yield Example(i, (augmenting(rng, question),), _coin(rng))


def student_examples(scenes: list[Scene]) -> Iterator[Example]:
    """Without end: dialogues of one to four answers."""
    rng = generator("student curriculum")
    while True:
        i = int(rng.integers(len(scenes)))
        yield _dialogue(rng, i, scenes[i], longest=4)


def _dialogue(rng: np.random.Generator, index: int, shown: Scene, longest: int) -> Example:
    asked = [ask(rng, any_type(rng, KNOWLEDGE_SHARE)) for _ in range(rng.integers(1, longest + 1))]
    return Example(index, tuple(answering(shown, q) for q in asked), _coin(rng))


def _judged_type(rng: np.random.Generator) -> Type:
    """The more answers a type has, the more there is to compare: 96 names, but two times of day."""
    weights = np.sqrt([len(answers(t)) for t in ALL_TYPES])
    return ALL_TYPES[int(rng.choice(len(ALL_TYPES), p=weights / weights.sum()))]


def _coin(rng: np.random.Generator) -> bool:
    return bool(rng.random() < 0.5)
