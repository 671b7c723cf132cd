"""A judge's reply as tokens: slots ("Assistant 1"), numbers with their scale, words around them.

Everything that follows reads tokens, never raw text, so the many spellings of one thing ("Answer B",
"the second assistant", "assistant_2") are known in one place, and reading is one pass over the text.
"""

from __future__ import annotations

import re
from enum import Enum, StrEnum
from functools import cached_property
from typing import Final, NamedTuple

from comd_platform.method.judging.grammar import (
    CLEANING,
    NAMING,
    OPERATORS,
    SLOT_IDS,
    SPELLED,
    TAKEN_BACK,
    THINKING_END,
    TOKEN,
    TRANSLATION,
    words,
)
from comd_platform.method.judging.languages import in_english

Scores = tuple[float, float]


class _Reading(Enum):
    AMBIGUOUS = "ambiguous"


Ambiguous = _Reading
AMBIGUOUS: Final = _Reading.AMBIGUOUS


class Kind(StrEnum):
    """What a token is to a reader of scores."""

    SLOT = "slot"  # names the first or the second answer; value 1 or 2
    BOTH = "both"  # "both", "each"
    NUMBER = "number"
    NOISE = "noise"  # a number that is no score: a range, a scale, another denominator, 3x, 1,000
    MARK = "mark"  # score, rating, rated ...
    GIVE = "give"  # I give, award, assign ...
    GET = "get"  # it receives, deserves, earns ...
    FINAL = "final"  # overall, final, average
    FOR = "for"  # for, to: 8 *for* Assistant 1
    AND = "and"  # and, &
    WORD = "word"
    STOP = "stop"  # . ! ? ;
    PUNCT = "punct"
    NEWLINE = "newline"


class Token(NamedTuple):
    """One token; `ten` says that a number is out of ten, `spelled` that it is a word."""

    kind: Kind
    text: str
    value: float = 0.0
    ten: bool = False
    spelled: bool = False


_WORDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(
        words("score scores scored rating ratings rate rated rates grade grades graded"), Kind.MARK
    ),
    **dict.fromkeys(
        words("give gives gave given giving award awards awarded assign assigns assigned"),
        Kind.GIVE,
    ),
    **dict.fromkeys(
        words(
            "receive receives received get gets got deserve deserves deserved earn earns earned "
            "merits obtains obtained worth"
        ),
        Kind.GET,
    ),
    **dict.fromkeys(words("overall final finally average"), Kind.FINAL),
    **dict.fromkeys(words("both each"), Kind.BOTH),
    **dict.fromkeys(words("for to"), Kind.FOR),
    **dict.fromkeys(words("and"), Kind.AND),
}
_PLAIN: Final[dict[str, Kind]] = {
    "newline": Kind.NEWLINE,
    "stop": Kind.STOP,
    "punct": Kind.PUNCT,
    "bracket": Kind.PUNCT,
    "ampersand": Kind.AND,
}


class Reply:
    """A judge's reply: cleaned text, its lines that are not blank, its tokens, its sentences."""

    def __init__(self, raw: str) -> None:
        self.text = _clean(raw)
        self.lines = [line.strip() for line in self.text.split("\n") if line.strip()]

    @cached_property
    def tokens(self) -> list[Token]:
        """All tokens, newlines included."""
        return tokenise(self.text)

    @cached_property
    def token_lines(self) -> list[list[Token]]:
        """The tokens of every line that is not blank, in order; newlines are not tokens here."""
        lines: list[list[Token]] = [[]]
        for token in self.tokens:
            if token.kind is Kind.NEWLINE:
                lines.append([])
            else:
                lines[-1].append(token)
        return [line for line in lines if line]


def _clean(raw: str) -> str:
    """Return the reply without markup, in one spelling of digits, dashes, quotes and spaces."""
    text = raw.translate(TRANSLATION)
    _, found, rest = text.rpartition(THINKING_END)
    if found and rest.strip():
        text = rest
    text = in_english(text)
    for sign, pattern, replacement in CLEANING:
        if sign in text:
            text = pattern.sub(replacement, text)
    return text.strip()


def tokenise(text: str) -> list[Token]:
    """Return the tokens of cleaned text; a number in a calculation comes out as NOISE."""
    tokens: list[Token] = []
    for match in TOKEN.finditer(text):
        kind = _PLAIN.get(match.lastgroup or "")
        if kind is not None:
            tokens.append(Token(kind, match.group()))
        elif match.lastgroup == "word":
            word = match.group().lower()
            tokens.append(Token(_WORDS.get(word, Kind.WORD), word))
        elif match.lastgroup not in ("space", "listing"):
            tokens.extend(_of(match))
    read: list[Token] = []
    taken_back = False
    for position, token in enumerate(tokens):
        if token.text in TAKEN_BACK or _supposes(tokens, position):
            taken_back = True
        elif token.text == "but" or token.kind in (Kind.STOP, Kind.NEWLINE):
            taken_back = False
        noise = token.kind is Kind.NUMBER and (taken_back or _is_noise(tokens, position))
        read.append(token._replace(kind=Kind.NOISE) if noise else token)
    return read


def _supposes(tokens: list[Token], position: int) -> bool:
    """Say whether "I would have given", "if Assistant 1 got" begins here: no score was given."""
    said = tokens[position].text
    if said not in ("would", "if") or position + 1 == len(tokens):
        return False
    following = tokens[position + 1]
    return following.text == "have" if said == "would" else following.kind is Kind.SLOT


def _of(match: re.Match[str]) -> list[Token]:
    """Return the tokens of one match that names a slot or a number: several for "Assistants 1 and 2"."""
    text = match.group()
    if match["slots"]:
        first, second = (SLOT_IDS[match[name].lower()] for name in ("one", "two"))
        return [
            Token(Kind.SLOT, text, first),
            Token(Kind.AND, "and"),
            Token(Kind.SLOT, text, second),
        ]
    for name in ("id", "nth_id", "other_id", "bare_id", "label_id", "short_id"):
        if match[name]:
            return [Token(Kind.SLOT, text, SLOT_IDS[match[name].lower()])]
    if match["scored_id"]:
        slot = Token(Kind.SLOT, text, SLOT_IDS[match["scored_id"].lower()])
        return [Token(Kind.MARK, "score"), slot]
    if match["number"]:
        return [Token(Kind.NUMBER, text, float(match["value"]), bool(match["ten"]))]
    if match["spelled"]:
        word = text.split(" ")[0].split("/")[0].lower()
        return [Token(Kind.NUMBER, text, SPELLED[word], bool(match["spelled_ten"]), spelled=True)]
    return [Token(Kind.NOISE, text)]


def _is_noise(tokens: list[Token], position: int) -> bool:
    before = tokens[position - 1] if position else None
    after = tokens[position + 1] if position + 1 < len(tokens) else None
    if after is not None and (
        after.text in OPERATORS
        or after.text in ("/", "=")
        or (tokens[position].ten and after.text == "of")  # three tenths of something
    ):
        return True
    if before is None:
        return False
    if before.text in OPERATORS or (before.text in ("/", "-") and _is_minus(tokens, position)):
        return True
    return before.text in NAMING


def _is_minus(tokens: list[Token], position: int) -> bool:
    """Say whether the sign before a number is a minus or a fraction bar, not a dash after a label."""
    return (
        tokens[position - 1].text == "/"
        or position < 2
        or tokens[position - 2].kind
        in (
            Kind.PUNCT,
            Kind.NUMBER,
            Kind.NOISE,
        )
    )
