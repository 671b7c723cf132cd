"""What an augmentor wrote, as one instruction, or the reason why it is none (section 3.3.3).

A reply should be the new instruction and nothing else. Models add a greeting, a label, quotes, a
list of several, an answer. What is clearly around the instruction is taken off (`unwrapping`); where it
is not clear what the instruction is, the reply is rejected with a reason, never repaired by guessing.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from comd_platform.method.unwrapping import asks, letters, opened, unwrapped


class RejectReason(StrEnum):
    """Why a reply is not a usable instruction."""

    EMPTY = "empty"
    REFUSAL = "refusal"
    ANSWER = "answer"
    TEMPLATE_LEAK = "template_leak"
    REPEATS_PARENT = "repeats_parent"
    TOO_LONG = "too_long"
    OTHER_LANGUAGE = "other_language"
    GARBLED = "garbled"


@dataclass(frozen=True, slots=True)
class Parsed:
    """An instruction (`text`), or why there is none (`reason`): exactly one is not None."""

    text: str | None
    reason: RejectReason | None


DEFAULT_MAX_CHARACTERS = 1000

_LEAK = re.compile(
    r"\{\{|\}\}|\{%|%\}|\[/?INST\]|<</?SYS>>|^\s*#{2,}\s*(?:Instruction|Response|Input)\b"
    r"|\b(?:USER|ASSISTANT|SYSTEM)\s*:|^\s*(?:#{1,6}\s*)?(?:Human|User|GPT|System)\s*:"
    r"|\[(?:End of )?instruction\]",
    re.MULTILINE,
)
# The augmentor's own orders, or a place to be filled in, given back.
_ORDERS = re.compile(
    r"\A(?:write|generate|create|give|provide|ask)\s+(?:me\s+)?(?:one|a|an|another)\s+(?:\w+\s+)?new\s+"
    r"(?:instruction|question)\b|\Ayou are an? (?:augmentor|ai|assistant|helpful)\b"
    r"|\Alook at the image above and at this instruction\b"
    r"|\A[\[<{](?:(?:your|new|the|insert|generated)[ _]){0,3}(?:instruction|question|prompt)"
    r"(?:[ _]here)?[\]>}]\Z",
    re.IGNORECASE,
)
_ANSWER_LABEL = re.compile(r"\A\s*(?:the\s+)?(?:answer|response)\s*[:\uff1a]", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\A(?:i'?m sorry|i\u2019m sorry|i am sorry|sorry\b|i apologi[sz]e|as an ai\b|i can(?:no|')t\b|"
    r"i can\u2019t\b|i am (?:not able|unable)|i(?:'|\u2019)m (?:not able|unable)|unfortunately\b|"
    r"i (?:do not|don't|don\u2019t) (?:see|have)\b|"
    r"please (?:provide|upload|share) (?:me )?(?:with )?(?:the|an|your) (?:image|picture|photo))",
    re.IGNORECASE,
)
# A statement about the picture without any question mark: the augmentor answered.
_STATEMENT = re.compile(
    r"\A(?:yes\b|no\b[,.]"
    r"|(?:in|on) th(?:e|is) (?:image|picture|photo)\b.{0,40}\b(?:is|are|shows?)\b"
    r"|th(?:e|is) (?:image|picture|photo(?:graph)?|scene) (?:shows?|depicts?|features?|contains?"
    r"|portrays?|displays?|captures?|illustrates?|is|has)\b"
    r"|there (?:is|are|was|were)\b|(?:it|they|he|she) (?:is|are|was|were|has|have)\b)",
    re.IGNORECASE,
)


def parse_instruction(
    raw: str, parent: str, max_characters: int = DEFAULT_MAX_CHARACTERS
) -> Parsed:
    """Return the instruction in an augmentor's reply; never raises.

    Taken off: special tokens, thoughts, greetings and announcements, labels ("New question:"), list
    numbers, quotes, bold, JSON, the parent said again, and an answer or a remark that follows. Of a
    list of several instructions the *first* is taken: one was asked for, and the first is what the
    model would have written had it stopped. An instruction of several lines that is one (a context, a
    multiple choice with its options) is kept whole.

    `parent` is the instruction that the reply started from; a reply that is the same text, up to
    case, spacing and punctuation, is rejected as `repeats_parent`.
    """
    reply = opened(raw)
    if _LEAK.search(reply):
        return Parsed(None, RejectReason.TEMPLATE_LEAK)
    text = unwrapped(reply, parent)
    reason = _reason_against(text, parent, max_characters)
    return Parsed(None, reason) if reason is not None else Parsed(text, None)


def _reason_against(text: str, parent: str, max_characters: int) -> RejectReason | None:
    if not any(character.isalnum() for character in text):
        return RejectReason.EMPTY
    if any(character in "\0\ufffd" or "\ud800" <= character <= "\udfff" for character in text):
        return RejectReason.GARBLED  # PostgreSQL stores neither NUL nor half a surrogate pair
    if _ORDERS.search(text):
        return RejectReason.TEMPLATE_LEAK
    if _REFUSAL.match(text):
        return RejectReason.REFUSAL
    if len(text) > max_characters:
        return RejectReason.TOO_LONG
    if _ANSWER_LABEL.match(text) or _answers(text):
        return RejectReason.ANSWER
    if letters(text) == letters(parent):
        return RejectReason.REPEATS_PARENT
    if _script(text) != _script(parent):
        return RejectReason.OTHER_LANGUAGE
    return None


def _answers(text: str) -> bool:
    if "?" in text or "\uff1f" in text:
        return False
    return _STATEMENT.match(text) is not None or not asks(text)


def _script(text: str) -> str:
    """LATIN, CYRILLIC, CJK ...: the writing most of whose letters a text has; "" without letters.

    Japanese is written in three, which count as one with Chinese.
    """
    counts: dict[str, int] = {}
    for character in text[:DEFAULT_MAX_CHARACTERS]:
        if character.isalpha():
            name = unicodedata.name(character, "UNKNOWN").split(" ")[0]
            name = "CJK" if name in ("HIRAGANA", "KATAKANA", "FULLWIDTH") else name
            counts[name] = counts.get(name, 0) + 1
    return max(counts, key=lambda name: counts[name], default="")
