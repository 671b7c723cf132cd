"""Which option a reply names: strictly, so that a number is never better than what the model said.

A reply counts only if exactly one option letter can be read in it. Two ways of naming one are known:
a *statement* ("The answer is B.", "Answer: (B)", "Option B is correct", "\\boxed{B}") and a *label* (a
reply, or a line of it, that is nothing but a letter, or a reply that begins with one: "B. west").

- All statements must name the same letter. "The answer is X", the sentence that ScienceQA's models are
  taught to end with, may stand there once: whoever says it twice has run on into something else.
  LLaVA's script counts that as failed too, and the published strict figures come out so.
- Several different labels are a list of the options and name none.
- A statement and a label that disagree name none.
- The text of a choice is not a letter, and nothing is ever guessed.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_TYPOGRAPHY: Final = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")
_OPEN = r"[\[({<\"'$]*"
# A capital counts unless it begins a word ("A dog" is one too); a small letter only at an end.
_CAPITAL = r"(?:[B-Z]|A(?!\s+(?!because\b|since\b|and\b|or\b)[a-z]))(?![\w']|-\w)"
_LETTER = rf"(?:({_CAPITAL})|([a-z])(?=[\])}}>\"']*\s*(?:[.,;!]|\n|$)))"
_NOUN = r"(?:answer|ans|option|choice|letter)"
_IS = r"(?:\s+(?:is|was|would\s+be|should\s+be|must\s+be)\s*:?|\s*[:=])"

_STATEMENT: Final = re.compile(
    rf"(?i:\b{_NOUN}(?:\s+{_NOUN})?{_IS}\s*(?:the\s+)?(?:{_NOUN}\s+)?){_OPEN}{_LETTER}"
    rf"|(?i:\bI(?:'d|\s+would|\s+will)?\s+(?:choose|pick|select|go\s+with)\s+(?:{_NOUN}\s+)?){_OPEN}{_LETTER}"
    rf"|\\boxed\{{(?:\\(?:text|mathrm|mathbf)[a-z]*\{{)?{_OPEN}{_LETTER}"
    rf"|(?<![\w']){_OPEN}([A-Z])[\])}}\"']*\s+is\s+(?:the\s+)?"
    rf"(?:correct|right|(?:correct|right|best)\s+{_NOUN})(?=\s*(?:[.,;!]|\n|$|because\b))"
)
_SENTENCE: Final = re.compile(rf"The answer is {_OPEN}{_CAPITAL}")
_ALSO: Final = re.compile(
    r"[\])}>\"'.]*(?:\s*(?:,?\s*(?i:or|and)\s+|[/&,]\s*)"
    rf"(?:{_NOUN}\s+)?{_OPEN}[A-Z](?=[\])}}>\"']*\s*(?:[.,;/&]|\n|$|or\b|and\b))"
    rf"|\s+{_OPEN}[A-Z]\W*\Z)"
)
_ALONE: Final = re.compile(rf"(?i:{_NOUN}\s*:?\s*)?[\W_]*([A-Za-z])[\W_]*")
_LEADING: Final = re.compile(
    r"(?i:(?:option|choice)\s+)?(?:[\[({<]([A-Za-z])[\])}>]"
    r"|([a-z](?=\)\s)|[A-Z])(?:[.):\]](?=\s|$)|,\s|\s+-+\s|\s*\n|\s+(?:because|since)\b))"
)
_MARKS: Final = re.compile(r"</?(?:s|answer|pad|eos)>|<\|[a-z_]+\|>")
_LABELS: Final = re.compile(r"(?:^|(?<=\s))(?:[\[(]([A-Za-z])[\])]|([a-z](?=\))|[A-Z])[.):])\s+\S")


def read_option(reply: str, count: int) -> int | None:
    """The option that `reply` names, 0 for A, or None where it is not exactly one of `count`.

    Raises ValueError unless there are between 1 and 26 options.
    """
    if not 1 <= count <= len(LETTERS):
        raise ValueError(f"a question with {count} options has no letters to read")
    named = _named(_plain(reply))
    index = -1 if named is None else LETTERS.index(named)
    return index if 0 <= index < count else None


def _named(text: str) -> str | None:
    if len(_SENTENCE.findall(text)) > 1:
        return None
    stated, labels = _statements(text), _labels(text)
    if not stated:
        stated = labels
    elif len(labels) == 1:
        stated |= labels
    return stated.pop() if len(stated) == 1 else None


def _statements(text: str) -> set[str]:
    """The letters that are stated as the answer; "B or C" holds another one, whatever it is."""
    found: set[str] = set()
    for match in _STATEMENT.finditer(text):
        found.add(next(group for group in match.groups() if group).upper())
        if _ALSO.match(text, match.end()):
            found.add("")
    return found


def _labels(text: str) -> set[str]:
    """The different letters that stand alone on a line, or at the head of the reply."""
    found = {
        match[1].upper() for line in text.splitlines() if (match := _ALONE.fullmatch(line.strip()))
    }
    leading = _LEADING.match(text)
    if leading is not None:
        found.add((leading[1] or leading[2]).upper())
        found |= {(first or second).upper() for first, second in _LABELS.findall(text)}
        if _ALSO.match(text, leading.end(leading.lastindex or 0)):
            found.add("")
    return found


def _plain(reply: str) -> str:
    """Without emphasis, what tokenizers and templates put around a reply, and typographic variants."""
    plain = unicodedata.normalize("NFKC", reply).translate(_TYPOGRAPHY)
    return re.sub(r"[*`_]", "", _MARKS.sub("\n", plain)).strip()
