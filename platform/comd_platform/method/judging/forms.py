"""Readers of two bare numbers: the form that the judge is asked for, and its neighbours."""

from __future__ import annotations

import re
from typing import Final

from comd_platform.method.judging.grammar import SPELLED
from comd_platform.method.judging.lexing import (
    AMBIGUOUS,
    Ambiguous,
    Kind,
    Reply,
    Scores,
    tokenise,
)
from comd_platform.method.judging.pairs import (
    ASKED_FOR_RANGE,
    BRACKETS,
    SCALE,
    ends_here,
    only,
    read_pair,
    whole_line,
    within,
)

_DECIMAL_COMMAS: Final = re.compile(
    r"\A[\[(]?(\d{1,2}(?:,\d{1,2})?)(?:, |;? )(\d{1,2}(?:,\d{1,2})?)[\])]?\Z"
)
_ASKED_FOR: Final = re.compile(r"\A([0-9]{1,2}) ([0-9]{1,2})\Z")  # what most replies begin with
_SHORT: Final = re.compile(
    r"\A[(\[]?(?P<name>[ABab12])(?:[.):\]]| ?=) ?(?P<score>\d{1,3}(?:\.\d+)?)(?: ?/ ?10)?[,;.]?\Z"
)
# "8 9 The first ...": after the pair something else begins, not what the numbers count
_LEADING_PAIR: Final = re.compile(
    r"(?:[\[({]{0,2}\d[\d./]*[\])}]{0,2}[\s,;|&]*(?:and )?){2}"
    r"(?:[.:;-] ?|[A-Z]|because\b|since\b|,? as\b)"
)
_NUMBERS: Final = re.compile(rf"\d+|\b(?i:{'|'.join(SPELLED)})\b")
_NEXT_LABEL: Final = re.compile(r"[,;] ?(?=[B2b] ?[.):=])|(?<=\d) (?=[B2b] ?[.):=])")


def first_line(reply: Reply) -> Scores | Ambiguous | None:
    """`8 9`, `8/10, 9/10`, `[[8]] [[9]]`, `Scores: 8 9`: the first line is two numbers, no more."""
    if not reply.lines:
        return None
    commas = _DECIMAL_COMMAS.match(reply.lines[0]) if "," in reply.lines[0] else None
    if commas is not None and any("," in number for number in commas.groups()):
        first, second = (float(number.replace(",", ".")) for number in commas.groups())
        return within((first, second), SCALE)
    asked_for = _ASKED_FOR.match(reply.lines[0])
    scores = (
        (float(asked_for[1]), float(asked_for[2]))
        if asked_for
        else whole_line(tokenise(reply.lines[0]), ASKED_FOR_RANGE)
    )
    if scores is not None and len(reply.lines) > 1:
        if all(_SHORT.match(line) for line in reply.lines[:2]):
            return None  # "1) 8" above "2) 6": labels
        if len(_NUMBERS.findall(reply.lines[1])) > 1:  # most go on with a sentence
            following = whole_line(tokenise(reply.lines[1]), ASKED_FOR_RANGE)
            if following is not None and following != scores:
                return AMBIGUOUS  # a matrix, a list of coordinates
    return scores


def two_short_lines(reply: Reply) -> Scores | None:
    """`A: 8` and `B: 9`, `1. 8/10` and `2. 9/10`, or just `8` and `9`, as the reply's two first lines.

    Labels without a noun are only trusted there, and only if there is no third (a multiple choice).
    """
    lines = reply.lines
    if len(lines) == 1:
        lines = [part.strip() for part in _NEXT_LABEL.split(lines[0])]
    if len(lines) < 2:
        return None
    labelled = [_SHORT.match(line) for line in lines[:3]]
    if labelled[0] and labelled[1]:
        if len(labelled) > 2 and re.match(r"\A[(\[]?[Cc3][.):\]]", lines[2]):
            return None
        names = [match["name"].lower() for match in labelled[:2] if match]
        scores = [float(match["score"]) for match in labelled[:2] if match]
        if names in (["a", "b"], ["1", "2"]):
            return within((scores[0], scores[1]), SCALE)
        if names in (["b", "a"], ["2", "1"]):
            return within((scores[1], scores[0]), SCALE)
        return None
    tokens = [tokenise(line) for line in lines[:3]]
    alone = [len(line) == 1 and line[0].kind is Kind.NUMBER for line in tokens]
    if alone[:2] == [True, True] and alone[2:] != [True]:
        return within((tokens[0][0].value, tokens[1][0].value), SCALE)
    return None


def leading(reply: Reply) -> Scores | None:
    """`8 9 The first answer ...`: the reply begins with the pair and goes on without a break."""
    line = reply.token_lines[0] if reply.token_lines else []
    start = next((i for i, token in enumerate(line) if token.text not in BRACKETS), 0)
    is_number = start < len(line) and line[start].kind is Kind.NUMBER
    found = read_pair(line, start) if is_number else None
    if found is None or within(found[0], SCALE) is None:
        return None
    scores, end = found
    after = [token for token in line[end:] if token.text not in BRACKETS]
    begins_anew = _LEADING_PAIR.match(reply.text)
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
    return only(found)


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
    return within((values[0], values[1]), SCALE) if len(values) == 2 else None


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
    return only(found)


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
            scores = within((pair[0].value, pair[1].value), SCALE)
            if scores is not None:
                found.add(scores)
    return only(found)
