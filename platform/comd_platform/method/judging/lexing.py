"""A judge's reply as tokens: slots ("Assistant 1"), numbers with their scale, and the words around them.

Everything that follows reads tokens, never raw text, so the many spellings of one thing ("Answer B",
"the second assistant", "assistant_2") are known in one place, and reading is one pass over the text.
"""

from __future__ import annotations

import re
from enum import Enum, StrEnum
from functools import cached_property
from typing import Final, NamedTuple

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


_TRANSLATION: Final = str.maketrans(
    "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff1a\uff0c\uff08\uff09\uff0f\uff1b"
    "\u2018\u2019\u201c\u201d\u2013\u2014\u2212\u2011\u00a0\u202f\u2215\u2044\uff5c\t\u2022\u3002",
    "0123456789:,()/;''\"\"----  //| -.",
)
_THINKING_END: Final = "</think>"
_CLEANING: Final = (
    (re.compile(r"\r\n?"), "\n"),
    (re.compile(r"</?s>|<\|[^|<>\n]{0,40}\|>"), " "),
    (re.compile(r"</[A-Za-z][\w -]{0,40}>"), "\n"),
    (re.compile(r"<([A-Za-z][\w -]{0,40})>"), r"\n\1: "),
    (re.compile(r"\*\*|__|`|\\boxed|\$(?=[\d\[({])|(?<=[\d\])}])\$"), ""),
    (re.compile(r"(?<![\w*])\*([^\s*](?:[^*\n]{0,38}[^\s*])?)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])"), " "),
    (re.compile(r"\\_"), " "),
    (re.compile(r"[-=]>|\u2192"), ":"),
    (re.compile(r"^[ ]*(?:[#>]+|[-*+](?=[ ]))[ ]*", re.MULTILINE), ""),
    (re.compile(r"[ \f\v]+"), " "),
    (re.compile(r"^ ", re.MULTILINE), ""),
)

_NOUNS: Final = (
    r"assistant|answer|response|model|candidate|system|solution|participant|chatbot|bot|agent|ai|llm|"
    r"vlm|caption|description|submission|reply|contestant|output"
)
_SLOT_IDS: Final = {
    **dict.fromkeys(("1", "one", "a", "first", "1st", "former"), 1.0),
    **dict.fromkeys(("2", "two", "b", "second", "2nd", "latter"), 2.0),
}
_SPELLED: Final = {
    word: float(value)
    for value, word in enumerate("zero one two three four five six seven eight nine ten".split())
}
_OF_TEN: Final = (
    r"(?: ?/ ?10(?:\.0+)?(?![\d/]| ?/ ?\d)(?!\.\d)|"
    r" (?i:out of|of)(?: a| the)?(?: (?i:possible|maximum|max|total|perfect))?(?: of)? (?:10(?![\d.]\d)|(?i:ten))\b)"
)
_TOKEN: Final = re.compile(
    "|".join(
        (
            # what most characters are comes first; the rest is tried where it can begin
            r"(?P<space> +)",
            r"(?P<newline>\n)",
            r"(?P<stop>[.!?;])",
            r"(?P<ampersand>&)",
            r"(?P<punct>[^\s\w(]|\((?!\d))",
            # "1. " at the start of a line numbers a list
            r"(?P<listing>(?m:^)\(?\d{1,2}[.)] (?=[^\d\s]))",
            # Assistants 1 and 2; Assistant 1 and 2 receive
            rf"(?P<slots>\b(?i:{_NOUNS})(?:s #?|s? #?(?=[12AB] (?i:and|&) [12AB],? (?i:are|both|each|receive|get|deserve|score|were|have|respectively)\b))"
            r"(?P<one>[12AB])(?: and | & | ?, ?|/)(?P<two>[12AB])\b(?! ?/ ?\d)(?!\.\d))",
            # Assistant 1; answer #2; [Model B]; response-one
            rf"(?P<slot>\b(?i:{_NOUNS})[ #-]{{0,2}}(?i:number |no\. ?)?[(\[]?"
            r"(?:(?P<id>[12AB]|(?i:one|two)(?= ?[:=,.()]|'s| (?i:is|has|was|and|gets|receives|deserves|scores))|"
            r"[ab](?= ?[:=]|'s))\b[)\]]?(?! ?/ ?\d)(?!\.\d)(?:'s)?))",
            # Score 1: 8; rating_b = 9
            r"(?P<scored>\b(?i:score|rating)[ #-]{0,2}(?P<scored_id>[12AB]|(?i:one|two)|[ab])(?= ?[:=]))",
            # the first assistant; second answer; the former
            rf"(?P<nth>\b(?i:(?P<nth_id>first|second|1st|2nd)(?: ai)? (?:{_NOUNS}|one)(?:'s)?)\b)",
            r"(?P<other>\b(?i:the (?P<other_id>former|latter))\b(?:'s)?)",
            # the second, standing alone
            r"(?P<bare>\b(?i:the (?P<bare_id>first|second))\b(?= ?[:,.;()\n]| ?\Z| (?i:is|was|gets|got|"
            r"receives|received|deserves|earns|scores|scored|and|an?|as|with|at|\d)(?! [a-z]+ing\b)))",
            r"(?P<label>\b(?i:(?P<label_id>first|second))(?= ?[:=] ?\d))",
            # scales and ranges: 1-10, 1 to 10, between 1 and 10, a scale of 10, 10-point
            r"(?P<range>(?i:between |from )?(?<![\w.])\d{1,3}(?:\.\d)? ?(?:-|~|to|through) ?\d{1,3}(?:\.\d+)?\b|"
            r"(?i:between) \d{1,3} (?i:and) \d{1,3}\b|\b(?i:scale of|max(?:imum)? of) \d{1,3}\b|"
            r"\b\d{1,3}[- ](?i:point|star)s?\b(?= (?i:scale|rating))|\b\d{1,3}-(?i:point|star)\b)",
            rf"(?P<spelled>\b(?i:{'|'.join(_SPELLED)})\b(?P<spelled_ten>{_OF_TEN})?)",
            r"(?P<grouped>\b\d{1,3}(?:,\d{3})+\b)",
            rf"(?P<number>(?P<value>(?<![\w.])\d+(?:\.\d+)?)(?!\.?\d)(?![A-Za-z_%\u00b0])(?P<ten>{_OF_TEN})?)",
            r"(?P<blob>\d[\w.]*%?)",
            r"(?P<word>[^\W\d_]+(?:'[a-z]+)?)",
            r"(?P<bracket>\()",
        )
    )
)
_WORDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(
        "score scores scored rating ratings rate rated rates grade grades graded".split(), Kind.MARK
    ),
    **dict.fromkeys(
        "give gives gave given giving award awards awarded assign assigns assigned".split(),
        Kind.GIVE,
    ),
    **dict.fromkeys(
        "receive receives received get gets got deserve deserves deserved earn earns earned "
        "merits obtains obtained".split(),
        Kind.GET,
    ),
    **dict.fromkeys("overall final finally average".split(), Kind.FINAL),
    **dict.fromkeys("both each".split(), Kind.BOTH),
    **dict.fromkeys("for to".split(), Kind.FOR),
    **dict.fromkeys("and".split(), Kind.AND),
}
# A number that is joined to what follows or precedes by one of these is part of a calculation.
_OPERATORS: Final = frozenset("+*^\u00d7\u00f7\u221a<>\u2248%\u00b0\u20ac$\u00a3\\")
# Words before a number that it only counts or names: "step 3", "better by 2 points".
_NAMING: Final = frozenset(
    "step steps part question image picture figure line number no example section point item option "
    "type page chapter turn sentence paragraph version task equation by than minus plus deduct "
    "deducted lost loses year".split()
)


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
    text = raw.translate(_TRANSLATION)
    thought, found, rest = text.rpartition(_THINKING_END)
    if found and rest.strip():
        text = rest
    for pattern, replacement in _CLEANING:
        text = pattern.sub(replacement, text)
    return text.strip()


def tokenise(text: str) -> list[Token]:
    """Return the tokens of cleaned text; a number in a calculation comes out as NOISE."""
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = _PLAIN.get(match.lastgroup or "")
        if kind is not None:
            tokens.append(Token(kind, match.group()))
        elif match.lastgroup == "word":
            word = match.group().lower()
            tokens.append(Token(_WORDS.get(word, Kind.WORD), word))
        elif match.lastgroup not in ("space", "listing"):
            tokens.extend(_of(match))
    return [
        token
        if token.kind is not Kind.NUMBER or not _is_noise(tokens, position)
        else token._replace(kind=Kind.NOISE)
        for position, token in enumerate(tokens)
    ]


def _of(match: re.Match[str]) -> list[Token]:
    """Return the tokens of one match that names a slot or a number: several for "Assistants 1 and 2"."""
    text = match.group()
    if match["slots"]:
        first, second = (_SLOT_IDS[match[name].lower()] for name in ("one", "two"))
        return [
            Token(Kind.SLOT, text, first),
            Token(Kind.AND, "and"),
            Token(Kind.SLOT, text, second),
        ]
    for name in ("id", "nth_id", "other_id", "bare_id", "label_id"):
        if match[name]:
            return [Token(Kind.SLOT, text, _SLOT_IDS[match[name].lower()])]
    if match["scored_id"]:
        slot = Token(Kind.SLOT, text, _SLOT_IDS[match["scored_id"].lower()])
        return [Token(Kind.MARK, "score"), slot]
    if match["number"]:
        return [Token(Kind.NUMBER, text, float(match["value"]), bool(match["ten"]))]
    if match["spelled"]:
        word = text.split(" ")[0].split("/")[0].lower()
        return [Token(Kind.NUMBER, text, _SPELLED[word], bool(match["spelled_ten"]), spelled=True)]
    return [Token(Kind.NOISE, text)]


def _is_noise(tokens: list[Token], position: int) -> bool:
    before = tokens[position - 1] if position else None
    after = tokens[position + 1] if position + 1 < len(tokens) else None
    if after is not None and (
        after.text in _OPERATORS
        or after.text in ("/", "=")
        or (tokens[position].ten and after.text == "of")  # three tenths of something
    ):
        return True
    if before is None:
        return False
    if before.text in _OPERATORS or before.text in ("/", "-") and _is_minus(tokens, position):
        return True
    return before.text in _NAMING


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
