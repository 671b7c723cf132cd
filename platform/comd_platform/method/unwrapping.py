"""What stands around an instruction in an augmentor's reply, and comes off.

Special tokens, a thought before it, a fence or a JSON object around it, a greeting, a label, quotes, a
list of several, the instruction that it started from, an answer or a remark behind it.
"""

from __future__ import annotations

import json
import re
from typing import Final

from comd_platform.method.rouge import normalised

_MARKUP = re.compile(
    r"<\|(?:im_start|start_header_id)\|>\s*(?:user|assistant|system)?|</?s>|<\|[^|<>]{0,40}\|>|<image>"
    r"|\A\s*(?:ASSISTANT|Assistant)\s*:"
)
_FENCE = re.compile(r"\A```[a-z]{0,10}\n(.*?)\n?```\Z", re.DOTALL)
_TAG = re.compile(
    r"\A<((?:new_?)?(?:question|instruction|prompt|output))>(.*)</\1>\Z", re.DOTALL | re.IGNORECASE
)
_FIELDS: Final = ("new_instruction", "new_question", "instruction", "question", "prompt", "query")
# "Sure! Here is a new question about the image:" before the instruction, on its line or its own.
_GREETING: Final = r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|great|alright)"
_PREAMBLE = re.compile(
    rf"\A(?:{_GREETING}\b(?!-)[^\n:?]{{0,20}}[!,.:]\s*)?"
    r"(?:(?:here(?:'s|\u2019s| is| are)|this is|my|the|a|one|given|new|based on)\b[^\n:?]{0,120}:\s*)?",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(
    rf"\A(?:{_GREETING}|here)\b|\b(?:question|instruction|prompt|query)\b", re.IGNORECASE
)
_CHINESE_PREAMBLE = re.compile(
    "\\A(?:(?:\u5f53\u7136|\u597d\u7684|\u53ef\u4ee5)[!\uff01,\uff0c\u3002 ]{0,3})?"
    "[^?\uff1f:\uff1a\n]{0,20}(?:\u95ee\u9898|\u6307\u4ee4)[^?\uff1f:\uff1a\n]{0,10}[:\uff1a]\\s*"
)
_BOLD_LABEL = re.compile(r"(\*\*|__)([^*_\n:]{1,40})(?:(:)\1|\1(:))")
_LABEL = re.compile(
    r"\A(?:#{1,4} ?|\[)?(?:(?:new|generated|rewritten|created|the|my|one)\s+){0,3}"
    r"(?:question|instruction|prompt|query|q)\s*#?\d{0,2}\s*(?:#{0,4}\s*[:\uff1a]|\]\s*[:\uff1a]?(?=\s*\S))\s*"
    r"|\A#{1,4} (?:new )?(?:question|instruction|prompt)\s*\n\s*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\A(?:\(?\d{1,2}[.)]|[-*\u2022])\s+")
_PARENT_LABEL = re.compile(
    r"\A(?:the\s+)?(?:original|parent|given|previous|old|source)"
    r"(?:\s+(?:question|instruction|prompt))?\s*[:\uff1a]",
    re.IGNORECASE,
)
_CHILD_LABEL = re.compile(
    r"\A(?:the\s+)?new(?:\s+(?:question|instruction|prompt))?\s*[:\uff1a]\s*", re.IGNORECASE
)
_AFTERWARDS = re.compile(
    r"\A\s*\(?(?:(?:the\s+)?"
    r"(?:answer|response|output|note|explanation|rationale|reason(?:ing)?)\s*[:\uff1a]"
    r"|(?:this|the new) (?:question|instruction)\b|i hope\b|let me know\b|feel free\b)",
    re.IGNORECASE,
)
_SHORT_ANSWER = re.compile(r"\A\s*A[:\uff1a]")
_OPTION = re.compile(r"\A\(?[A-H][.):]\s*\S")
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019", "\u300c": "\u300d"}
_THOUGHT_END: Final = "</think>"
_THOUGHT: Final = "<think>"
# No instruction is as long as this; only a list of them is, and its first stands at the beginning.
_READ: Final = 16_000

# Words that ask, where a sentence begins, or after a comma near the beginning of the text: "In one
# word, describe"; further on a comma begins "which is", "complete with".
_ORDER: Final = (
    "describe|explain|list|name|count|identify|tell|write|give|provide|compare|contrast|analy[sz]e|"
    "discuss|imagine|summari[sz]e|find|point|state|determine|estimate|suppose|read|create|compose|"
    "suggest|propose|choose|select|classify|outline|elaborate|infer|predict|consider|please|answer|"
    "justify|assess|evaluate|generate|specify|recommend|interpret|locate|translate|transcribe|rank|"
    "sort|reflect|highlight|examine|observe|look|detail|guess|speculate|match|complete|fill|rate|"
    "calculate|label|recall|render|present|offer|clarify|illustrate|categori[sz]e|characteri[sz]e|"
    "distinguish|mention|share"
)
_AUXILIARY: Final = "is|are|was|were|do|does|did|can|could|would|should|will|has|have"
_QUESTION: Final = (
    rf"what|who|whose|whom|why|which|how|(?:where|when) (?:{_AUXILIARY})|{_AUXILIARY}|"
    "(?:in|at|to|from|on) (?:what|which)"
)
_ASKING = re.compile(
    r"(?:\A|[.!?:;\n]\s*|\b(?:please|then|now|also) )"
    rf"(?:(?:\w+ly |please ){{0,2}}(?:{_ORDER})|{_QUESTION})\b",
    re.IGNORECASE,
)
_ASKING_AFTER_COMMA = re.compile(
    rf",\s+(?:\w+ly )?(?:{_ORDER}|what|why|how|{_AUXILIARY})\b", re.IGNORECASE
)
_NEAR: Final = 120


def asks(text: str) -> bool:
    """Whether a text of Latin letters asks for something; another script is given the benefit."""
    return (
        "?" in text
        or not text.isascii()
        or _ASKING.search(text) is not None
        or _ASKING_AFTER_COMMA.search(text[:_NEAR]) is not None
    )


def opened(raw: str) -> str:
    """What a reply says: without thoughts and special tokens, out of a fence, a tag, a JSON object.

    Of 100 KB the first 16,000 characters are looked at.
    """
    _, thought, rest = raw.rpartition(_THOUGHT_END)
    text = rest if thought else raw.partition(_THOUGHT)[0]
    return _opened(_MARKUP.sub("", text[:_READ]).strip())


def unwrapped(text: str, parent: str) -> str:
    """The instruction in an opened reply, as far as what is around it is clear; "" if nothing is left.

    Of several instructions the first counts that is not `parent`.
    """
    text = _without_surroundings(_without_parent(text, parent))
    text = _without_parent(_without_answer(text), parent)
    text = _first_of_list(text)
    return _without_tail(_said_once(_without_surroundings(text)))


def _opened(text: str) -> str:
    """Take an instruction out of a code fence, a JSON object or array, or a tag."""
    fence = _FENCE.match(text)
    text = fence[1].strip() if fence else text
    tag = _TAG.match(text)
    if tag:
        return tag[2].strip()
    if text[:1] not in ("{", "["):
        return text
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        value = next((value[field] for field in _FIELDS if field in value), None)
    return value.strip() if isinstance(value, str) else text


def _without_parent(text: str, parent: str) -> str:
    """Take off the parent where the reply begins by saying it again, or names both with labels.

    A reply that is the parent and nothing else stays, to be rejected as what it is.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and _PARENT_LABEL.match(lines[0]):
        for line in lines[1:]:
            if _CHILD_LABEL.match(line):
                return _CHILD_LABEL.sub("", line).strip()
    said = re.sub(r"\s+", " ", parent.strip())
    if not said:
        return text
    quoted = re.compile(rf"[\"\u201c']{re.escape(said)}[\"\u201d']", re.IGNORECASE)
    if _ANNOUNCES.search(text[:200]) and quoted.search(text[:400]):
        return quoted.sub("it", text, count=1)
    if text.casefold().startswith(said.casefold()):
        rest = text[len(said) :].lstrip()
        if rest[:1].isalnum() and text[len(said) :][:1].isspace() and letters(said)[-1:].isalnum():
            return rest if said[-1] in ".?!\uff1f\u3002" or text[len(said)] == "\n" else text
    return text


def _without_surroundings(text: str) -> str:
    """Take off preamble, label, list number, emphasis and quotes until nothing more comes off."""
    while True:
        before = text
        text = _BOLD_LABEL.sub(r"\2:", text)
        for pattern in (_LABEL, _ITEM, _CHINESE_PREAMBLE):
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


def _said_once(text: str) -> str:
    """A sentence that the model went on repeating, once."""
    sentences = re.split(r"(?<=[.?!\uff1f\u3002])\s+", text)
    return sentences[0] if len(sentences) > 1 and len(set(sentences)) == 1 else text


def _without_tail(text: str) -> str:
    """Cut an answer that follows the last question mark: "Is he happy? Yes, he smiles."

    What asks for something ("Answer with one word.") stays, and so do options.
    """
    end = text.rfind("?") + 1
    tail = text[end:]
    if not end or not tail.strip() or not tail[0].isspace():
        return text
    said = tail.strip()
    starts_anew = said[0].isupper() or said[0].isdigit()
    if any(_OPTION.match(line.strip()) for line in said.splitlines()):
        return text
    is_answer = re.match(r"answer\s*:", said, re.IGNORECASE) is not None
    if is_answer or (starts_anew and not asks(said)):
        return text[:end]
    return text


def letters(text: str) -> str:
    """The letters and digits of a text, in lower case: what makes two texts the same."""
    return "".join(character for character in normalised(text) if character.isalnum())
