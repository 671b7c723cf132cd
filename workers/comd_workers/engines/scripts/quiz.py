"""A whole competitive loop without a model: a teacher, a student, an assessor and an augmentor.

Every answer ends in a mark, `(right 1a2b3c4d)` or `(wrong 1a2b3c4d)`: the assessor reads the marks
off its prompt, whatever the template around them, and a test can recount what it should have said.
Whether an answer is right depends on (image, question) and the skill alone, and a higher skill
knows everything that a lower one knows, as a student does that has learned.

Options (all optional):
  role             teacher, student, assessor or augmentor; default teacher.
  markers          {role: substring}: a request that has the substring is that role's, so that one
                   model can play several, told apart by their prompts.
  skill            share of the questions that are answered right: teacher 1.0, student 0.5.
  unreadable_rate  share of the assessor's replies that carry no scores (0).
  refusal_rate     share of any role's replies that are a refusal (0).
  duplicate_rate   share of the augmentor's questions that its picture always gets (0).
"""

from __future__ import annotations

import re
from typing import Any

from comd_workers.engines.scripts.script import Line, chance, pick, tag

REFUSAL = "I'm sorry, but I can't help with that."
MARK = re.compile(r"\((right|wrong) [0-9a-f]{8}\)")
_SKILL = {"teacher": 1.0, "student": 0.5}
_OPENINGS = ("It is", "That is", "This shows", "I see", "There is")
VOCABULARY = tuple(
    start + end
    for start in ("am", "bel", "cor", "du", "fen", "gal", "hin", "ju", "kar", "lem", "mor", "nis")
    for end in ("ba", "dor", "fi", "gon", "la", "mer", "net", "pu", "ric", "sa", "ton", "vel")
)
_QUESTION_WORDS = 9


def quiz(line: Line) -> str:
    """The reply of the role that the request is for. Raises ValueError for an unknown role."""
    role = _role(line)
    refuses = line.options.get("refusal_rate", 0.0)
    if refuses and chance("refusal", line.text, line.image, line.seed) < refuses:
        return REFUSAL
    if role in _SKILL:
        return _answer(line, line.options.get("skill", _SKILL[role]))
    if role == "assessor":
        return _judge(line)
    if role == "augmentor":
        return _ask(line)
    raise ValueError(f"the quiz has no role {role!r}")


def knows(image: str, question: str, skill: float) -> bool:
    """Whether someone of this skill answers right; monotone in `skill`."""
    return chance("knows", image, question) < skill


def _role(line: Line) -> Any:
    markers: dict[str, str] = line.options.get("markers", {})
    found = (role for role, marker in markers.items() if marker in line.text)
    return next(found, line.options.get("role", "teacher"))


def _answer(line: Line, skill: float) -> str:
    quality = "right" if knows(line.image, line.text, skill) else "wrong"
    opening = pick(_OPENINGS, "opening", line.text, line.image, line.seed, line.model)
    thing = pick(VOCABULARY, quality, line.text, line.image)
    return f"{opening} {thing} ({quality} {tag(line.image, line.text)})"


def _judge(line: Line) -> str:
    """`8 9` and a reason; right answers get 8 or 9, wrong ones 1 to 3, varying with the seed."""
    marks = MARK.findall(line.text)
    if len(marks) != 2:
        return REFUSAL
    parts = (line.text, line.image, line.seed)
    unreadable = line.options.get("unreadable_rate", 0.0)
    if unreadable and chance("unreadable", *parts) < unreadable:
        return "Both answers have their merits, and it is hard to put a number on either."
    scores = [
        8 + int(chance("score", slot, *parts) * 2)
        if mark == "right"
        else 1 + int(chance("score", slot, *parts) * 3)
        for slot, mark in enumerate(marks)
    ]
    return f"{scores[0]} {scores[1]}\nOne of them names what the picture shows."


def _ask(line: Line) -> str:
    """A question of random words, or (`duplicate_rate`) the one that this picture always gets."""
    parts: tuple[str | int, ...] = (line.text, line.image, line.seed)
    doubles = line.options.get("duplicate_rate", 0.0)
    if doubles and chance("duplicate", *parts) < doubles:
        parts = (line.image,)
    words = (pick(VOCABULARY, "ask", place, *parts) for place in range(_QUESTION_WORDS))
    return f"What about {' '.join(words)}?"
