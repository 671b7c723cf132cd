"""What can be asked about a scene, in how many ways, and what is true.

Two classes of questions: *knowledge* must recognise the character and recall something about it,
*look* can be read off the picture. An augmented question stays in the class of its parent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from comd_tinyworld.characters import FACTS, NAMES
from comd_tinyworld.scenes import COLOURS, PLACES, TIMES, Scene

Class = Literal["knowledge", "look"]
Type = Literal["who", "food", "home", "job", "pet", "colour", "place", "time"]
TYPES: dict[Class, tuple[Type, ...]] = {
    "knowledge": ("who", "food", "home", "job", "pet"),
    "look": ("colour", "place", "time"),
}
ALL_TYPES: tuple[Type, ...] = get_args(Type)

PHRASINGS: dict[Type, tuple[str, ...]] = {
    "who": (
        "Who is this?",
        "What is the name of the character shown here?",
        "Can you tell me who appears in the picture?",
        "Name the person you see.",
        "How do friends call the little figure?",
        "Which character has been drawn?",
    ),
    "food": (
        "What does this character like to eat?",
        "Which food is their favourite?",
        "Name a dish that would please the one shown.",
        "What should we cook for them?",
        "Tell me the meal the figure enjoys most.",
        "When hungry, for what would somebody like this ask?",
    ),
    "home": (
        "Where does the character live?",
        "What kind of place do they call home?",
        "Tell me where one could visit this person.",
        "In which sort of dwelling would I find the figure after dark?",
        "Name the home of whoever is shown.",
        "To what address does a letter for them go?",
    ),
    "job": (
        "What does this one do for a living?",
        "Which job is theirs?",
        "How does the character earn money?",
        "Tell me the trade of the figure.",
        "What work keeps them busy all week?",
        "Name the profession of the person shown.",
    ),
    "pet": (
        "What pet does the character keep?",
        "Which animal belongs to this one?",
        "Name their animal friend.",
        "Tell me what creature lives with the figure.",
        "Who follows them around on walks, a cat or something else?",
        "If you met this person, what animal would be near?",
    ),
    "colour": (
        "What colour is the character?",
        "Which paint would you need for this one?",
        "Name the colour you see on the person.",
        "How is the figure tinted?",
        "Tell me the shade of the one shown.",
        "In what colour are they drawn?",
    ),
    "place": (
        "Where in the picture is the character?",
        "Which corner holds the figure?",
        "Point out the position of the character.",
        "Tell me the part of the image they stand in.",
        "In what quarter should I look for them?",
        "At which spot can this person be seen?",
    ),
    "time": (
        "Is it day or night?",
        "What time is shown in the scene?",
        "When was this picture made, before or after sunset?",
        "Tell me the time of day.",
        "Does the light come from the sun or from the moon?",
        "How late is it here?",
    ),
}


@dataclass(frozen=True)
class Question:
    """One question: a type, and which of its phrasings."""

    type: Type
    phrasing: int

    @property
    def text(self) -> str:
        """The words."""
        return PHRASINGS[self.type][self.phrasing]

    @property
    def kind(self) -> Class:
        """Its class; the task type of an instruction made from it."""
        return class_of(self.type)


def class_of(question_type: Type) -> Class:
    """The class a question type belongs to."""
    return "knowledge" if question_type in TYPES["knowledge"] else "look"


@cache
def questions(kind: Class | None = None) -> tuple[Question, ...]:
    """Every question there is, or every one of a class."""
    types = ALL_TYPES if kind is None else TYPES[kind]
    return tuple(Question(t, i) for t in types for i in range(len(PHRASINGS[t])))


def normalise(text: str) -> str:
    """Lower case, words only, single spaces: how answers and questions are compared."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def read_question(text: str) -> Question | None:
    """The question that a text asks, or None where it is none of this world's."""
    return _by_text().get(normalise(text))


@cache
def _by_text() -> dict[str, Question]:
    return {normalise(q.text): q for q in questions()}


def truth(scene: Scene, question_type: Type) -> str:
    """The one right answer."""
    if question_type == "who":
        return scene.character.name
    if question_type in FACTS:
        return scene.character.fact(question_type)
    return {"colour": scene.colour, "place": scene.place, "time": scene.time}[question_type]


@cache
def answers(question_type: Type) -> tuple[str, ...]:
    """Every answer that makes sense for a type."""
    if question_type == "who":
        return NAMES
    if question_type in FACTS:
        return FACTS[question_type]
    looks = {"colour": tuple(COLOURS), "place": PLACES, "time": tuple(TIMES)}
    return looks[question_type]


def is_right(scene: Scene, question_type: Type, answer: str) -> bool:
    """Whether an answer is right, whatever its case and punctuation."""
    return normalise(answer) == normalise(truth(scene, question_type))
