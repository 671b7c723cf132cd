"""Reader of scores that are said to belong to an answer: labels, headings and prose."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from comd_platform.method.judging.lexing import AMBIGUOUS, Ambiguous, Kind, Reply, Scores, Token
from comd_platform.method.judging.pairs import SCALE, ends_here, read_pair, whole_line


class Weight(IntEnum):
    """How plainly a number is said to be a score; the heaviest mentions of a slot decide."""

    LABEL = 1  # "Assistant 1: 8" could also quote the assistant's answer
    SCORE = 2  # "a score of 8", "8/10"
    VERDICT = 3  # "final score: 8"


class Mention(NamedTuple):
    """A number that the judge gives to a slot (1 or 2)."""

    slot: int
    value: float
    weight: Weight


def declared_or_labelled(reply: Reply) -> Scores | Ambiguous | None:
    """`Output: (8, 9)`, `Assistant 1: 8/10`, "I give the second answer a 9": whatever the order.

    Of the mentions of a slot the heaviest count, and must agree. A declared pair (after "Output" or
    "Scores", or alone in brackets at the end) outweighs mere labels and must agree with scores.
    """
    declared = _declared(reply)
    if isinstance(declared, Ambiguous):
        return AMBIGUOUS
    decided: dict[int, tuple[float, Weight]] = {}
    mentions = list(_mentions(reply))
    for slot in (1, 2):
        of_slot = [mention for mention in mentions if mention.slot == slot]
        heaviest = max((mention.weight for mention in of_slot), default=None)
        values = {mention.value for mention in of_slot if mention.weight == heaviest}
        if len(values) > 1 and (declared is None or heaviest != Weight.LABEL):
            return AMBIGUOUS
        if len(values) == 1 and heaviest is not None:
            decided[slot] = values.pop(), heaviest
    if declared is not None:
        agrees = all(
            weight is Weight.LABEL or value == declared[slot - 1]
            for slot, (value, weight) in decided.items()
        )
        return declared if agrees else AMBIGUOUS
    return (decided[1][0], decided[2][0]) if len(decided) == 2 else None


def _declared(reply: Reply) -> Scores | Ambiguous | None:
    """Return the pair of a line that says that it is the output, or of the last line in brackets."""
    found: set[Scores] = set()
    lines = reply.token_lines
    for line in lines:
        scores = whole_line(_last_sentence(line), SCALE)
        if scores is None:
            continue
        introduced = any(
            token.kind is Kind.MARK or token.text in ("output", "tuple") for token in line
        )
        if introduced or (line is lines[-1] and line[0].text in ("(", "[", "{")):
            found.add(scores)
    if len(found) > 1:
        return AMBIGUOUS
    return next(iter(found), None)


def _last_sentence(line: Sequence[Token]) -> Sequence[Token]:
    stops = [i for i, token in enumerate(line[:-1]) if token.kind is Kind.STOP]
    return line[stops[-1] + 1 :] if stops else line


@dataclass(slots=True)
class _Context:
    """What the lines above say about the line being read."""

    section: int | None = None  # the slot that heads this part of the reply
    heading: Weight | None = None  # "Scores:" stands above a list of labels
    awaiting: bool = False  # the line above is a heading that ends with the slot


_MOST_WORDS_IN_HEADING: Final = 3


def _mentions(reply: Reply) -> Iterator[Mention]:
    context = _Context()
    for line in reply.token_lines:
        start = 0
        slots_here = [token for token in line if token.kind is Kind.SLOT]
        head = next((t for t in line if t.text not in _OPENING), None)
        if len({token.value for token in slots_here}) > 1:
            context.section = None
        elif head is not None and head.kind is Kind.SLOT:
            context.section = int(head.value)
        for end in [i for i, token in enumerate(line) if token.kind is Kind.STOP] + [len(line)]:
            if line[start:end]:
                yield from _Sentence(line[start:end], context).mentions()
            start = end + 1
        has_number = any(token.kind is Kind.NUMBER for token in line)
        if (
            not has_number
            and any(token.kind is Kind.MARK for token in line)
            and (line[-1].text == ":" or len(line) <= _MOST_WORDS_IN_HEADING)
        ):
            final = any(token.kind is Kind.FINAL for token in line)
            context.heading = Weight.VERDICT if final else Weight.SCORE
            if len({token.value for token in slots_here}) != 1:
                context.section = None
        elif not slots_here and len(line) > _MOST_WORDS_IN_HEADING:
            context.heading = None
        context.awaiting = (
            len(slots_here) == 1
            and not has_number
            and sum(token.kind is Kind.WORD for token in line) <= _MOST_WORDS_IN_HEADING
        )


_OPENING: Final = frozenset("([{\"'-")
# What may stand between the word that makes a number a score and the number: "a score of about 8".
_FILLERS: Final = frozenset(
    "a an of is are be was at with the as would should about approximately around perfect solid strong "
    "full low high mere respectable just it this that them him her s will i'd only score".split()
)
_CONNECTORS: Final = frozenset(":=-([{)]}\"'|,")
# The noun after a slot: "Assistant 1's answer: 8".
_POSSESSIONS: Final = frozenset(
    "answer response solution submission code reply output description".split()
)
_MEMORY: Final = 60  # tokens between a slot and a number beyond which nothing connects them
_BEFORE_FOR: Final = frozenset("points point ) ] goes is are was were".split())
_REACH: Final = (
    6  # tokens between a slot and a number that may belong to it if another slot is near
)


class _Sentence:
    """One sentence, read from left to right: numbers that are scores, and the slots they belong to."""

    def __init__(self, tokens: Sequence[Token], context: _Context) -> None:
        self.tokens = tokens
        self.context = context
        kinds = {token.kind for token in tokens}
        self.rated = bool(kinds & {Kind.MARK, Kind.GIVE, Kind.GET})
        self.marked = Kind.MARK in kinds
        self.final = Kind.FINAL in kinds
        self.named = [i for i, token in enumerate(tokens) if token.kind in (Kind.SLOT, Kind.BOTH)]
        self.has_slots = bool(self.named)

    def mentions(self) -> Iterator[Mention]:
        position, bound_to = 0, 0  # `bound_to`: behind the last number and the slot it was given to
        while position < len(self.tokens):
            token = self.tokens[position]
            if token.kind is not Kind.NUMBER:
                position += 1
                continue
            group = self._group(bound_to, position)
            pair = read_pair(self.tokens, position)
            if pair is not None and self._is_compound(group) and self._is_score(position, group):
                scores, end = pair
                if ends_here(self.tokens, end):
                    order = [int(self.tokens[i].value) for i in group[-2:]] or [1, 2]
                    order = order if len(order) == 2 else [1, 2]
                    for slot, value in zip(order, scores, strict=True):
                        yield from self._mention(slot, value, position, group)
                position = bound_to = end
                continue
            forward, behind = self._forward(position)
            if forward and (self.rated or token.ten or self.has_slots):
                for slot in forward:
                    yield from self._mention(slot, token.value, position, group)
                position = bound_to = behind
                continue
            if self._is_score(position, group) and (
                token.ten or ends_here(self.tokens, position + 1)
            ):
                for slot in self._backward(position, group):
                    yield from self._mention(slot, token.value, position, group)
                bound_to = position + 1
            position += 1

    def _mention(
        self, slot: int, value: float, position: int, group: Sequence[int]
    ) -> Iterator[Mention]:
        token = self.tokens[position]
        scored = token.ten or self.marked
        weight = Weight.SCORE if scored else Weight.LABEL
        if token.spelled and not token.ten and self._anchor(position) is not Kind.MARK:
            return  # "one" and "two" count things
        if scored and self.final:
            weight = Weight.VERDICT
        elif self.context.heading and group and self._is_label(group[-1], position):
            weight = max(weight, self.context.heading)
        if value <= (10 if weight is Weight.LABEL else 100):
            yield Mention(slot, value, weight)

    def _group(self, start: int, end: int) -> list[int]:
        """Return where slots and "both" stand between the last number and this one."""
        start = max(start, end - _MEMORY)
        return self.named[bisect_left(self.named, start) : bisect_left(self.named, end)]

    def _is_compound(self, group: Sequence[int]) -> bool:
        """Say whether a group is "Assistant 1 and Assistant 2" or "both", which take two numbers."""
        if group and self.tokens[group[-1]].kind is Kind.BOTH:
            return True
        if len(group) < 2 or self.tokens[group[-2]].value == self.tokens[group[-1]].value:
            return False
        between = self.tokens[group[-2] + 1 : group[-1]]
        return bool(between) and all(
            token.kind in (Kind.AND, Kind.FOR)
            or token.text in ("the", ",", "/", "of")
            or token.text in _POSSESSIONS
            for token in between
        )

    def _joined_by_and(self, group: Sequence[int]) -> bool:
        between = self.tokens[group[-2] + 1 : group[-1]]
        return any(token.kind is Kind.AND for token in between)

    def _anchor(self, position: int) -> Kind | None:
        """Return the kind of what makes the number at `position` a score: the word it hangs on."""
        i = position - 1
        while i >= 0 and (
            self.tokens[i].text in _FILLERS
            and self.tokens[i].kind is not Kind.MARK
            or self.tokens[i].kind is Kind.FINAL
            or self.tokens[i].text in _CONNECTORS
        ):
            i -= 1
        return self.tokens[i].kind if i >= 0 else None

    def _is_score(self, position: int, group: Sequence[int]) -> bool:
        token = self.tokens[position]
        if token.ten:
            return True
        anchor = self._anchor(position)
        if anchor in (Kind.MARK, Kind.GIVE, Kind.GET):
            return True
        if not group:
            # "Assistant 1:" stands alone on the line above, this line is the number
            return self.context.awaiting and len(self.tokens) == 1
        return self._is_label(group[-1], position)

    def _is_label(self, slot: int, position: int) -> bool:
        """Say whether a number follows its slot directly: "Assistant 1: 8", "give Assistant 1 an 8"."""
        between = [
            token
            for token in self.tokens[slot + 1 : position]
            if token.text not in _POSSESSIONS and token.kind not in (Kind.MARK, Kind.FINAL)
        ]
        if not between:
            return self.rated
        texts = [token.text for token in between]
        if all(text in ("a", "an", "at") for text in texts):
            return self.rated
        if self.marked and all(text in _FILLERS or text in _CONNECTORS for text in texts):
            return True
        return all(text in _CONNECTORS - {","} for text in texts)

    def _forward(self, position: int) -> tuple[list[int], int]:
        """Return the slots of "8 for Assistant 1", "9 points to the second", and where they end."""
        i = position + 1
        while i < len(self.tokens) and (
            self.tokens[i].text in _BEFORE_FOR or self.tokens[i].kind is Kind.GIVE
        ):
            i += 1
        if (
            i + 1 < len(self.tokens)
            and self.tokens[i].text in "(["
            and (self.tokens[i + 1].kind is Kind.SLOT)
        ):
            return [int(self.tokens[i + 1].value)], i + 2
        if i >= len(self.tokens) or self.tokens[i].kind is not Kind.FOR:
            each = i < len(self.tokens) and self.tokens[i].text == "each"
            return ([1, 2], i + 1) if each and self.rated else ([], position + 1)
        i += 1
        while i < len(self.tokens) and self.tokens[i].text in ("the", "(", "["):
            i += 1
        if i >= len(self.tokens):
            return [], position + 1
        if self.tokens[i].kind is Kind.BOTH:
            while i + 1 < len(self.tokens) and self.tokens[i + 1].kind in (Kind.SLOT, Kind.AND):
                i += 1
            return [1, 2], i + 1
        if self.tokens[i].kind is Kind.SLOT:
            return [int(self.tokens[i].value)], i + 1
        return [], position + 1

    def _backward(self, position: int, group: Sequence[int]) -> list[int]:
        """Return the slots that a score belongs to which stands behind them; none if that is open."""
        if not group:
            spoken_for = self.context.section is not None and not self.has_slots
            if spoken_for and (self.rated or self.final or self.context.awaiting):
                return [self.context.section] if self.context.section is not None else []
            return []
        named = [i for i in group if self.tokens[i].kind is Kind.SLOT]
        values = {int(self.tokens[i].value) for i in named}
        if len(named) < len(group):  # "both" is there: does it stand for the answers?
            if not named or (len(values) == 2 and self._is_compound(named)):
                return [1, 2]
            group = named
        if len(values) == 1:
            return [values.pop()]
        if self._is_compound(group) and self._joined_by_and(group):
            return []  # two answers and one number
        between = self.tokens[group[-1] + 1 : position]
        if len(between) <= _REACH and not any(token.text == "," for token in between):
            return [int(self.tokens[group[-1]].value)]
        return []
