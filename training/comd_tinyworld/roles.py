"""What the teacher is taught: to answer, to judge two answers, to ask something new.

Each function draws one example of a role's single user turn and the reply that is right for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from comd_tinyworld.prompts import render
from comd_tinyworld.questions import (
    ALL_TYPES,
    PHRASINGS,
    TYPES,
    Question,
    Type,
    answers,
    class_of,
    is_right,
    normalise,
    truth,
)
from comd_tinyworld.scenes import Scene

RIGHT, HALF, WRONG, NONSENSE = 9, 5, 3, 1
"""Scores: the right answer; a place right in one direction; another answer of the same type; else."""


@dataclass(frozen=True)
class Turn:
    """What the user says and what is replied."""

    user: str
    reply: str


def ask(rng: np.random.Generator, question_type: Type) -> Question:
    """A question of a type, in one of its phrasings."""
    return Question(question_type, int(rng.integers(len(PHRASINGS[question_type]))))


def any_type(rng: np.random.Generator, knowledge_share: float) -> Type:
    """A question type: the class by share, then evenly within it."""
    types = TYPES["knowledge" if rng.random() < knowledge_share else "look"]
    return types[int(rng.integers(len(types)))]


def answering(scene: Scene, question: Question) -> Turn:
    """The teacher's (and the student's) task."""
    return Turn(render("teacher", instruction=question.text), truth(scene, question.type))


def score(scene: Scene, question_type: Type, answer: str) -> int:
    """The score that an answer deserves, 1-10."""
    if is_right(scene, question_type, answer):
        return RIGHT
    said, right = normalise(answer), truth(scene, question_type)
    if said not in {normalise(a) for a in answers(question_type)}:
        return NONSENSE
    return HALF if question_type == "place" and set(said.split()) & set(right.split()) else WRONG


def judging(rng: np.random.Generator, scene: Scene, question: Question) -> Turn:
    """The assessor's task, on two answers such as models give.

    The reply names the right answer first: a judge that must find it before it scores learns far
    sooner than one that writes bare scores. The scores are the only numbers, alone on the last line.
    """
    first, second = (candidate(rng, scene, question.type) for _ in range(2))
    user = render("assessor", instruction=question.text, first=first, second=second)
    scores = f"{score(scene, question.type, first)} {score(scene, question.type, second)}"
    return Turn(user, f"{truth(scene, question.type)}\n{scores}")


def candidate(rng: np.random.Generator, scene: Scene, question_type: Type) -> str:
    """An answer as some model might give it: right, wrong, off the point, or broken."""
    draw = rng.random()
    if draw < 0.4:
        return truth(scene, question_type)
    if draw < 0.8:
        return str(rng.choice(answers(question_type)))
    if draw < 0.93:
        return str(rng.choice(answers(ALL_TYPES[int(rng.integers(len(ALL_TYPES)))])))
    words = " ".join(str(rng.choice(answers(t))) for t in rng.choice(ALL_TYPES, size=3)).split()
    return " ".join(words[: int(rng.integers(4))])


def augmenting(rng: np.random.Generator, question: Question) -> Turn:
    """The augmentor's task: another question of the same class, about something else."""
    kind = class_of(question.type)
    others = [t for t in TYPES[kind] if t != question.type]
    user = render("augmentor", instruction=question.text, task_type=kind)
    return Turn(user, ask(rng, others[int(rng.integers(len(others)))]).text)
