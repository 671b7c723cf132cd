"""Readers of two bare numbers: the form that the judge is asked for, and its neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from comd_platform.method.judging.lexing import (
    AMBIGUOUS,
    Ambiguous,
    Kind,
    Reply,
    Scores,
    Token,
    tokenise,
)

# The first line is where the scores were asked for: what stands there is meant as scores, whatever
# the scale. Elsewhere two bare numbers must at least lie on the judge's scale.
ASKED_FOR_RANGE: Final = (0.0, 100.0)
SCALE: Final = (0.0, 10.0)

_BRACKETS: Final = frozenset("()[]{}\"'|")
_SEPARATORS: Final = frozenset((",", ";", "|", "vs", "versus"))
# "Output:", "My final scores for Assistant 1 and Assistant 2 are" may introduce a pair.
_INTRODUCTION: Final = frozenset(
    "output outputs tuple result results the my evaluation evaluations judgement judgment verdict is are "
    "here as follows respectively would be of in order so s and points pair values total".split()
)
_INTRODUCTION_LENGTH: Final = 16
_DECIMAL_COMMAS: Final = re.compile(
    r"\A[\[(]?(\d{1,2}(?:,\d{1,2})?)(?:, |;? )(\d{1,2}(?:,\d{1,2})?)[\])]?\Z"
)


def first_line(reply: Reply) -> Scores | Ambiguous | None:
    """`8 9`, `8/10, 9/10`, `[[8]] [[9]]`, `Scores: 8 9`: the first line is two numbers, no more."""
    if not reply.lines:
        return None
    commas = _DECIMAL_COMMAS.match(reply.lines[0])
    if commas is not None and any("," in number for number in commas.groups()):
        first, second = (float(number.replace(",", ".")) for number in commas.groups())
        return _within((first, second), SCALE)
    scores = whole_line(tokenise(reply.lines[0]), ASKED_FOR_RANGE)
    if scores is not None and len(reply.lines) > 1:
        following = whole_line(tokenise(reply.lines[1]), ASKED_FOR_RANGE)
        if following is not None and following != scores:
            return AMBIGUOUS  # a matrix, a list of coordinates
    return scores


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
    rest = [token for token in line[end:] if token.text not in _BRACKETS]
    if rest and not (
        rest[-1].kind is Kind.STOP and all(_is_respectively(token) for token in rest[:-1])
    ):
        return None
    return _within((second, first) if swapped else (first, second), limits)


def _is_respectively(token: Token) -> bool:
    return token.text in (",", "respectively")


def read_pair(tokens: Sequence[Token], start: int) -> tuple[Scores, int] | None:
    """Return the two numbers that stand at `start`, and where they end.

    Between them: space, comma, semicolon, bar, "and", brackets. None if one is out of ten and the
    other is not, or if a third number follows.
    """
    position, separated = start + 1, False
    while position < len(tokens) and (
        tokens[position].text in _BRACKETS
        or _separates(tokens[position])
        and not separated
        or tokens[position].text in ("a", "an")
        and tokens[position - 1].kind is Kind.AND
    ):
        separated = separated or _separates(tokens[position])
        position += 1
    if position >= len(tokens) or tokens[position].kind is not Kind.NUMBER:
        return None
    first, second = tokens[start], tokens[position]
    if first.ten != second.ten or first.spelled != second.spelled:
        return None
    after = [token for token in tokens[position + 1 : position + 5] if token.text not in _BRACKETS]
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
    order: list[float] = []
    for token in tokens:
        if token.kind is Kind.SLOT:
            order.append(token.value)
        elif token.kind is Kind.WORD and token.text not in _INTRODUCTION:
            return None
        elif token.kind in (Kind.NOISE, Kind.STOP, Kind.GIVE, Kind.GET):
            return None
        elif token.kind is Kind.PUNCT and token.text not in _BRACKETS | {":", "=", ",", "-", "/"}:
            return None
    if order not in ([], [1.0, 2.0], [2.0, 1.0]):
        return None
    return order == [2.0, 1.0]


def _within(scores: Scores, limits: tuple[float, float]) -> Scores | None:
    low, high = limits
    return scores if all(low <= score <= high for score in scores) else None


_SHORT: Final = re.compile(
    r"\A[(\[]?(?P<name>[ABab12])[.):\]] ?(?P<score>\d{1,3}(?:\.\d+)?)(?: ?/ ?10)?[,;.]?\Z"
)


def two_short_lines(reply: Reply) -> Scores | None:
    """`A: 8` and `B: 9`, `1. 8/10` and `2. 9/10`, or just `8` and `9`, as the reply's two first lines.

    Labels without a noun are only trusted there, and only if there is no third (a multiple choice).
    """
    lines = reply.lines
    if len(lines) == 1:
        lines = [
            part.strip()
            for part in re.split(r"[,;] ?(?=[B2b][.):])|(?<=\d) (?=[B2b][.):])", lines[0])
        ]
    if len(lines) < 2:
        return None
    labelled = [_SHORT.match(line) for line in lines[:3]]
    if labelled[0] and labelled[1]:
        if len(labelled) > 2 and re.match(r"\A[(\[]?[Cc3][.):\]]", lines[2]):
            return None
        names = [match["name"].lower() for match in labelled[:2] if match]
        scores = [float(match["score"]) for match in labelled[:2] if match]
        if names in (["a", "b"], ["1", "2"]):
            return _within((scores[0], scores[1]), SCALE)
        if names in (["b", "a"], ["2", "1"]):
            return _within((scores[1], scores[0]), SCALE)
        return None
    tokens = [tokenise(line) for line in lines[:3]]
    alone = [len(line) == 1 and line[0].kind is Kind.NUMBER for line in tokens]
    if alone[:2] == [True, True] and alone[2:] != [True]:
        return _within((tokens[0][0].value, tokens[1][0].value), SCALE)
    return None


def leading(reply: Reply) -> Scores | None:
    """`8 9 The first answer ...`: the reply begins with the pair and goes on without a break."""
    line = reply.token_lines[0] if reply.token_lines else []
    start = next((i for i, token in enumerate(line) if token.text not in _BRACKETS), 0)
    is_number = start < len(line) and line[start].kind is Kind.NUMBER
    found = read_pair(line, start) if is_number else None
    if found is None or _within(found[0], SCALE) is None:
        return None
    scores, end = found
    after = [token for token in line[end:] if token.text not in _BRACKETS]
    begins_anew = re.match(
        r"(?:[\[({]{0,2}\d[\d./]*[\])}]{0,2}[\s,;|&]*(?:and )?){2}(?:[.:;-] ?|[A-Z]|because\b|since\b|,? as\b)",
        reply.text,
    )
    return scores if after and begins_anew else None


def in_prose(reply: Reply) -> Scores | Ambiguous | None:
    """`The scores are 8 and 9.`, `8 out of 10 and 9 out of 10`: a pair that is said to be scores."""
    found: set[Scores] = set()
    for line in reply.token_lines:
        if any(token.kind in (Kind.SLOT, Kind.BOTH) for token in line):
            continue
        marked = False
        for position, token in enumerate(line):
            if token.kind is Kind.STOP:
                marked = False
            elif token.kind in (Kind.MARK, Kind.GIVE):
                marked = True
            elif token.kind is Kind.NUMBER and (marked or token.ten):
                pair = read_pair(line, position)
                if pair is not None and ends_here(line, pair[1]):
                    found.add(pair[0])
                marked = False
    return _only(found)


def ends_here(line: Sequence[Token], position: int) -> bool:
    """Say whether a number that ended before `position` stands for itself and counts nothing."""
    while position < len(line) and line[position].text in (
        "]",
        ")",
        "}",
        '"',
        "'",
        "points",
        "point",
    ):
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


_MAY_FOLLOW: Final = frozenset(
    "but while whereas because since due as on with respectively overall though although however versus "
    "vs when where which given".split()
)


def two_score_labels(reply: Reply) -> Scores | None:
    """`Score: 8` ... `Score: 9`: exactly two labelled scores in a reply that names no slot."""
    if any(token.kind is Kind.SLOT for token in reply.tokens):
        return None
    values: list[float] = []
    for line in reply.token_lines:
        number = next((i for i, token in enumerate(line) if token.kind is Kind.NUMBER), None)
        if number is None or number == 0 or line[number].spelled:
            continue
        label = line[:number]
        if (
            any(token.kind is Kind.MARK for token in label)
            and all(token.kind in (Kind.MARK, Kind.FINAL, Kind.PUNCT) for token in label)
            and ends_here(line, number + 1)
        ):
            values.append(line[number].value)
    return _within((values[0], values[1]), SCALE) if len(values) == 2 else None


def own_line(reply: Reply) -> Scores | Ambiguous | None:
    """`Here you are:` / `8 9`: a line of its own that is a pair; all such lines must agree.

    A line above that names the slots in the other order turns the pair round.
    """
    found: set[Scores] = set()
    above: list[float] = []
    for line in reply.token_lines:
        scores = whole_line(line, SCALE)
        if scores is not None:
            found.add(scores[::-1] if above == [2.0, 1.0] else scores)
        above = [token.value for token in line if token.kind is Kind.SLOT]
    return _only(found)


def after_own_answer(reply: Reply) -> Scores | Ambiguous | None:
    """`olaf . 9 2`: the judge answers first; the first or the last line ends with the pair."""
    found: set[Scores] = set()
    for line in (reply.token_lines[:1] + reply.token_lines[-1:]) if reply.token_lines else []:
        before, pair = line[:-2], line[-2:]
        if (
            before
            and before[-1].kind is Kind.STOP
            and all(token.kind is Kind.NUMBER and not token.spelled for token in pair)
        ):
            scores = _within((pair[0].value, pair[1].value), SCALE)
            if scores is not None:
                found.add(scores)
    return _only(found)


def _only(found: set[Scores]) -> Scores | Ambiguous | None:
    if len(found) > 1:
        return AMBIGUOUS
    return next(iter(found), None)
