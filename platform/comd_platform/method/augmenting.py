"""What an augmentor wrote, as one instruction, or the reason why it is none (section 3.3.3).

A reply should be the new instruction and nothing else. Models add a greeting, a label, quotes, a
list of several, an answer. What is clearly around the instruction is taken off; where it is not clear
what the instruction is, the reply is rejected with a reason, never repaired by guessing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from comd_platform.method.rouge import normalised


class RejectReason(StrEnum):
    """Why a reply is not a usable instruction."""

    EMPTY = "empty"
    REFUSAL = "refusal"
    ANSWER = "answer"
    TEMPLATE_LEAK = "template_leak"
    REPEATS_PARENT = "repeats_parent"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class Parsed:
    """An instruction (`text`), or why there is none (`reason`): exactly one is not None."""

    text: str | None
    reason: RejectReason | None


DEFAULT_MAX_CHARACTERS = 1000

_MARKUP = re.compile(r"</?s>|<\|[^|<>]{0,40}\|>|<image>|\A\s*(?:ASSISTANT|Assistant)\s*:")
_LEAK = re.compile(
    r"\{\{|\}\}|\{%|%\}|\[/?INST\]|<</?SYS>>|^\s*#{2,}\s*(?:Instruction|Response|Input)\b"
    r"|\b(?:USER|ASSISTANT|SYSTEM)\s*:",
    re.MULTILINE,
)
# "Sure! Here is a new question about the image:" before the instruction, on its line or its own.
_GREETING: Final = r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|great|alright)"
_PREAMBLE = re.compile(
    rf"\A(?:{_GREETING}\b(?!-)[^\n:?]{{0,20}}[!,.:]\s*)?"
    r"(?:(?:here(?:'s|\u2019s| is| are)|this is|my|the|a|one)\b[^\n:?]{0,120}:\s*)?",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(
    rf"\A(?:{_GREETING}|here)\b|\b(?:question|instruction|prompt|query)\b", re.IGNORECASE
)
_BOLD_LABEL = re.compile(r"(\*\*|__)([^*_\n:]{1,40})(?:(:)\1|\1(:))")
_LABEL = re.compile(
    r"\A(?:(?:new|generated|rewritten|created|the|my|one)\s+){0,3}"
    r"(?:question|instruction|prompt|query|q)\s*#?\d{0,2}\s*[:\uff1a]\s*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\A(?:\(?\d{1,2}[.)]|[-*\u2022])\s+")
_ANSWER_LABEL = re.compile(r"\A\s*(?:the\s+)?(?:answer|response)\s*[:\uff1a]", re.IGNORECASE)
_AFTERWARDS = re.compile(
    r"\A\s*(?:(?:the\s+)?(?:answer|response|note|explanation|rationale|reason(?:ing)?)\s*[:\uff1a]"
    r"|(?:this|the new) (?:question|instruction)\b)",
    re.IGNORECASE,
)
_SHORT_ANSWER = re.compile(r"\A\s*A[:\uff1a]")
_OPTION = re.compile(r"\A\(?[A-H][.):]\s*\S")
_REFUSAL = re.compile(
    r"\A(?:i'?m sorry|i\u2019m sorry|i am sorry|sorry\b|i apologi[sz]e|as an ai\b|i can(?:no|')t\b|"
    r"i can\u2019t\b|i am (?:not able|unable)|i'm (?:not able|unable)|unfortunately\b)",
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
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019", "\u300c": "\u300d"}


def parse_instruction(
    raw: str, parent: str, max_characters: int = DEFAULT_MAX_CHARACTERS
) -> Parsed:
    """Return the instruction in an augmentor's reply; never raises.

    Taken off: special tokens, greetings and announcements, labels ("New question:"), list numbers,
    quotes, bold, and an answer or a remark that follows under its own label. Of a list of several
    instructions the *first* is taken: one was asked for, and the first is what the model would have
    written had it stopped. An instruction of several lines that is one (a context, a multiple choice
    with its options) is kept whole.

    `parent` is the instruction that the reply started from; a reply that is the same text, up to
    case, spacing and punctuation, is rejected as `repeats_parent`.
    """
    text = _MARKUP.sub("", raw).strip()
    if not text:
        return Parsed(None, RejectReason.EMPTY)
    if _LEAK.search(text):
        return Parsed(None, RejectReason.TEMPLATE_LEAK)
    text = _without_surroundings(text)
    text = _first_of_list(_without_answer(text))
    text = _without_surroundings(text)
    reason = _reason_against(text, parent, max_characters)
    return Parsed(None, reason) if reason is not None else Parsed(text, None)


def _reason_against(text: str, parent: str, max_characters: int) -> RejectReason | None:
    if not any(character.isalnum() for character in text):
        return RejectReason.EMPTY
    if _REFUSAL.match(text):
        return RejectReason.REFUSAL
    if _ANSWER_LABEL.match(text):
        return RejectReason.ANSWER
    if "?" not in text and "\uff1f" not in text and _STATEMENT.match(text):
        return RejectReason.ANSWER
    if len(text) > max_characters:
        return RejectReason.TOO_LONG
    if _words(text) == _words(parent):
        return RejectReason.REPEATS_PARENT
    return None


def _without_surroundings(text: str) -> str:
    """Take off preamble, label, list number, emphasis and quotes until nothing more comes off."""
    while True:
        before = text
        text = _BOLD_LABEL.sub(r"\2:", text)
        for pattern in (_LABEL, _ITEM):
            text = pattern.sub("", text, count=1).strip()
        text = _unquoted(_without_preamble(text))
        if text == before:
            return text


def _without_preamble(text: str) -> str:
    """Take off an announcement, unless it is all there is or is itself the instruction."""
    match = _PREAMBLE.match(text)
    if match is None or not _ANNOUNCES.search(match.group()):
        return text
    return text[match.end() :].strip() or text


def _unquoted(text: str) -> str:
    for mark in ("**", "__", "*"):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            inner = text[len(mark) : -len(mark)]
            if mark not in inner:
                return inner.strip()
    closing = _QUOTES.get(text[:1])
    if closing is not None and len(text) > 2 and text.endswith(closing):
        inner = text[1:-1]
        if closing not in inner and text[0] not in inner:
            return inner.strip()
    return text


def _without_answer(text: str) -> str:
    """Cut where an answer or a remark begins; an instruction's first line is never one.

    A line "A: ..." is an answer, unless options B, C ... follow.
    """
    lines = text.splitlines()
    has_options = any(_OPTION.match(line.strip()) and line.strip()[:2] != "A:" for line in lines)
    for number, line in enumerate(lines[1:], start=1):
        if _AFTERWARDS.match(line) or (_SHORT_ANSWER.match(line) and not has_options):
            return "\n".join(lines[:number]).strip()
    return text


def _first_of_list(text: str) -> str:
    """Return the first of several instructions, the text itself where it is one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or any(_OPTION.match(line) for line in lines[1:]):
        return text
    listed = [line for line in lines[1:] if _ITEM.match(line)]
    asking = [line for line in lines if line.rstrip('"*\u201d').endswith(("?", "\uff1f"))]
    if listed and (_ITEM.match(lines[0]) or lines[0].endswith("?")):
        return lines[0]
    return lines[0] if len(asking) == len(lines) else text


def _words(text: str) -> str:
    return "".join(character for character in normalised(text) if character.isalnum())
