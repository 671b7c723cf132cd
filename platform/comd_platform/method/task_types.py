"""The task type of an instruction (METHOD.md, "Task type"): the record's own, else a small rule.

LLaVA's mixed files carry none. The rule is conservative: only what the wording shows beyond doubt
is named; everything else is conversation. Another rule is a function with the signature of `TaskRule`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

CONVERSATION: Final = "conversation"
DETAIL: Final = "detail description"
COMPLEX: Final = "complex reasoning"
MULTIPLE_CHOICE: Final = "multiple choice"

TaskRule = Callable[[str], str]

FIELDS: Final = ("task_type", "category", "type")

# LLaVA's files abbreviate; a name that is not listed is kept as it stands.
_ALIASES: Final[Mapping[str, str]] = {
    "conv": CONVERSATION,
    "conversation": CONVERSATION,
    "detail": DETAIL,
    "detail description": DETAIL,
    "detailed description": DETAIL,
    "complex": COMPLEX,
    "complex reasoning": COMPLEX,
    "multiple choice": MULTIPLE_CHOICE,
}

# The eleven prompts of LLaVA-Instruct's detail_23k; several do not say that detail is wanted.
_DETAIL_PROMPTS: Final = frozenset(
    {
        "describe the following image",
        "can you elaborate on the elements of the picture provided",
        "what do you see happening in this image",
        "write a detailed description of the given image",
        "what is this photo about",
        "can you describe the main features of this image for me",
        "analyze the image in a comprehensive and detailed manner",
        "explain the visual content of the image in great detail",
        "what do you think is going on in this snapshot",
        "what are the key elements in this picture",
        "what's happening in the scene",
    }
)
# Others of the kind share a word for thoroughness, one for telling and one for the picture.
_THOROUGH = re.compile(
    r"\b(?:in (?:great )?detail|(?:well-)?detailed|comprehensive|thorough(?:ly)?|exhaustive|elaborate|"
    r"in-depth|rich)\b"
)
_DESCRIBE = re.compile(
    r"\b(?:descri(?:be|bing|ption)|depict(?:ion)?|explanation|rundown|account|analysis|analy[sz]e|"
    r"clarify|break down|portray|narrat(?:e|ive)|characterize|illustrate|explain)\b"
)
_PICTURE = re.compile(r"\b(?:image|picture|photo(?:graph)?|scene|visual)\b")
# At least the options A and B, each at the start of a line or in brackets.
_OPTION_A = re.compile(r"(?:^|\n)[ \t]*\(?A[.):]\s?\S|\(A\)\s?\S")
_OPTION_B = re.compile(r"(?:^|\n)[ \t]*\(?B[.):]\s?\S|\(B\)\s?\S")
_DETAIL_PROMPT_CHARACTERS = 200  # a detail prompt is one short sentence and says nothing else


def by_wording(question: str) -> str:
    """Return the task type that the wording of `question` shows: the default rule.

    >>> by_wording("Describe the following image in detail.")
    'detail description'
    >>> by_wording("What is it?\\nA. a cat\\nB. a dog")
    'multiple choice'
    >>> by_wording("What color is the cat?")
    'conversation'
    """
    if _OPTION_A.search(question) and _OPTION_B.search(question):
        return MULTIPLE_CHOICE
    lowered = question.lower().replace("\u2019", "'")
    if lowered.strip(" .?!'") in _DETAIL_PROMPTS or (
        len(question) <= _DETAIL_PROMPT_CHARACTERS
        and _THOROUGH.search(lowered)
        and _DESCRIBE.search(lowered)
        and _PICTURE.search(lowered)
    ):
        return DETAIL
    return CONVERSATION


def normalised(name: str) -> str:
    """Return the project's name for a record's task type; an unknown one is kept, stripped."""
    stripped = name.strip()
    return _ALIASES.get(re.sub(r"[\s_-]+", " ", stripped.lower()), stripped)


def task_type(
    question: str, record: Mapping[str, object] | None = None, rule: TaskRule = by_wording
) -> str:
    """Return the task type of `question`: what its record says, else what `rule` says.

    Of the record's fields `task_type`, `category`, `type` the first that holds a non-empty string
    wins.
    """
    for field in FIELDS:
        value = record.get(field) if record is not None else None
        if isinstance(value, str) and value.strip():
            return normalised(value)
    return rule(question)
