"""Two bare numbers: when they are a pair, and when a line is nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from comd_platform.method.judging.grammar import words
from comd_platform.method.judging.lexing import (
    AMBIGUOUS,
    Ambiguous,
    Kind,
    Scores,
    Token,
)

# The first line is where the scores were asked for: what stands there is meant as scores, whatever
# the scale. Elsewhere two bare numbers must at least lie on the judge's scale.
ASKED_FOR_RANGE: Final = (0.0, 100.0)
SCALE: Final = (0.0, 10.0)

BRACKETS: Final = frozenset("()[]{}\"'|")
_SEPARATORS: Final = frozenset((",", ";", "|", "vs", "versus"))
# "Output:", "My final scores for Assistant 1 and Assistant 2 are" may introduce a pair.
_INTRODUCTION: Final = words(
    "output outputs tuple result results the my evaluation evaluations judgement judgment verdict "
    "is are here as follows respectively would be of in order so s and points pair values total"
)
# What may follow a score that is not the thing it counts: "8 because", not "8 cats".
_MAY_FOLLOW: Final = words(
    "but while whereas because since due as on with respectively overall though although however "
    "versus vs when where which given"
)
_CLOSING: Final = words("] ) } \" ' points point")
_INTRODUCTION_LENGTH: Final = 16


def whole_line(line: Sequence[Token], limits: tuple[float, float]) -> Scores | None:
    """Return the pair that a line consists of, after an introduction and in brackets or not."""
    start = next((i for i, token in enumerate(line) if token.kind is Kind.NUMBER), None)
    if start is None or start > _INTRODUCTION_LENGTH:
        return None
    swapped = _introduces(line[:start])
    if swapped is None:
        return None
    found = read_pair(line, start)
    if found is None:
        return None
    (first, second), end = found
    rest = [token for token in line[end:] if token.text not in BRACKETS]
    if rest and not (
        rest[-1].kind is Kind.STOP and all(_is_respectively(token) for token in rest[:-1])
    ):
        return None
    return within((second, first) if swapped else (first, second), limits)


def _is_respectively(token: Token) -> bool:
    return token.text in (",", "respectively")


def read_pair(tokens: Sequence[Token], start: int) -> tuple[Scores, int] | None:
    """Return the two numbers that stand at `start`, and where they end.

    Between them: space, comma, semicolon, bar, "and", brackets. None if one is out of ten and the
    other is not, or if a third number follows.
    """
    position, separated = start + 1, False
    while position < len(tokens) and (
        tokens[position].text in BRACKETS
        or (_separates(tokens[position]) and not separated)
        or (tokens[position].text in ("a", "an") and tokens[position - 1].kind is Kind.AND)
    ):
        separated = separated or _separates(tokens[position])
        position += 1
    if position >= len(tokens) or tokens[position].kind is not Kind.NUMBER:
        return None
    first, second = tokens[start], tokens[position]
    if first.ten != second.ten or first.spelled != second.spelled:
        return None
    after = [token for token in tokens[position + 1 : position + 5] if token.text not in BRACKETS]
    if after and after[0].kind in (Kind.NUMBER, Kind.NOISE):
        return None
    separators = _SEPARATORS | {"and", "&", "-"}
    if (
        len(after) > 1
        and after[0].text in separators
        and after[1].kind in (Kind.NUMBER, Kind.NOISE)
    ):
        return None
    return (first.value, second.value), position + 1


def _separates(token: Token) -> bool:
    return token.kind is Kind.AND or token.text in _SEPARATORS


def _introduces(tokens: Sequence[Token]) -> bool | None:
    """Say whether what stands before a pair names the second answer first; None if it is no label."""
    order = [token.value for token in tokens if token.kind is Kind.SLOT]
    if order not in ([], [1.0, 2.0], [2.0, 1.0]) or not all(map(_may_introduce, tokens)):
        return None
    return order == [2.0, 1.0]


def _may_introduce(token: Token) -> bool:
    if token.kind is Kind.WORD:
        return token.text in _INTRODUCTION
    if token.kind is Kind.PUNCT:
        return token.text in BRACKETS or token.text in ":=,-/"
    return token.kind not in (Kind.NOISE, Kind.STOP, Kind.GIVE, Kind.GET)


def within(scores: Scores, limits: tuple[float, float]) -> Scores | None:
    """Return the scores if both lie within the limits."""
    low, high = limits
    return scores if all(low <= score <= high for score in scores) else None


def ends_here(line: Sequence[Token], position: int) -> bool:
    """Say whether a number that ended before `position` stands for itself and counts nothing."""
    while position < len(line) and line[position].text in _CLOSING:
        position += 1
    if position >= len(line):
        return True
    token = line[position]
    if token.kind in (Kind.NUMBER, Kind.NOISE, Kind.MARK, Kind.FINAL):
        return False
    if token.kind is Kind.PUNCT and token.text in ",-:":
        following = line[position + 1] if position + 1 < len(line) else None
        return following is None or following.kind not in (Kind.NUMBER, Kind.NOISE)
    return token.kind is not Kind.WORD or token.text in _MAY_FOLLOW


def only(found: set[Scores]) -> Scores | Ambiguous | None:
    """Return the one pair that was found, None if there is none, AMBIGUOUS if there are several."""
    if len(found) > 1:
        return AMBIGUOUS
    return next(iter(found), None)
