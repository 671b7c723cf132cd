"""One sentence of a judge: which numbers in it are scores, and which answers they belong to."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from comd_platform.method.judging.grammar import CRITERIA, words
from comd_platform.method.judging.lexing import Kind, Token
from comd_platform.method.judging.pairs import ends_here, read_pair


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


@dataclass(slots=True)
class Context:
    """What the lines above say about the line being read."""

    section: int | None = None  # the slot that heads this part of the reply
    heading: Weight | None = None  # "Scores:" stands above a list of labels
    awaiting: bool = False  # the line above is a heading that ends with the slot


# What may stand between the word that makes a number a score and the number: "a score of about 8".
_FILLERS: Final = words(
    "a an of is are be was at with the as would should about approximately around perfect solid "
    "strong full low high mere respectable just it this that them him her s will i'd only score"
)
_ROUGHLY: Final = words("about around approximately roughly")
_CONNECTORS: Final = frozenset(":=-([{)]}\"'|,")
# The noun after a slot: "Assistant 1's answer: 8".
_POSSESSIONS: Final = words(
    "answer response solution submission code reply output description answers responses assistants"
)
_MEMORY: Final = 60  # tokens between a slot and a number beyond which nothing connects them
_BEFORE_FOR: Final = words("points point ) ] goes is are was were")
# Tokens between a slot and a number that belongs to it although another slot is near.
_REACH: Final = 6


class Sentence:
    """One sentence, read from left to right: numbers that are scores, and the slots they belong to."""

    def __init__(self, tokens: Sequence[Token], context: Context) -> None:
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
            if self._is_criterion(position):
                position += 1
                continue
            group = self._group(bound_to, position)
            pair = self._pair(position, group)
            if pair is not None:
                values, end = pair
                for slot, value in values:
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

    def _pair(
        self, position: int, group: Sequence[int]
    ) -> tuple[list[tuple[int, float]], int] | None:
        """Return what two numbers at once are given to, and where that ends.

        "The scores of Assistant 2 and Assistant 1 are 8 and 9", "I give 8 and 9 to the first and the
        second answer". Nothing is given where the second number counts something.
        """
        pair = read_pair(self.tokens, position)
        if pair is None:
            return None
        scores, end = pair
        behind = self._two_slots_behind(end)
        if behind is not None and self.rated:
            order, end = behind
            return list(zip(order, scores, strict=True)), end
        if not (self._is_compound(group) and self._is_score(position, group)):
            return None
        order = [int(self.tokens[i].value) for i in group if self.tokens[i].kind is Kind.SLOT][-2:]
        order = order if len(set(order)) == 2 else [1, 2]
        return (list(zip(order, scores, strict=True)) if ends_here(self.tokens, end) else []), end

    def _two_slots_behind(self, start: int) -> tuple[list[int], int] | None:
        slots: list[int] = []
        has_for = False
        for i in range(start, min(len(self.tokens), start + _REACH + 3)):
            token = self.tokens[i]
            has_for = has_for or token.kind is Kind.FOR
            if token.kind is Kind.SLOT and has_for:
                slots.append(int(token.value))
            elif not (
                token.kind in (Kind.FOR, Kind.AND, Kind.GIVE)
                or token.text in _BEFORE_FOR
                or token.text in ("the", ",")
            ):
                break
            if len(slots) == 2:
                return (slots, i + 1) if slots[0] != slots[1] else None
        return None

    def _mention(
        self, slot: int, value: float, position: int, group: Sequence[int]
    ) -> Iterator[Mention]:
        token = self.tokens[position]
        scored = token.ten or self.marked
        weight = Weight.SCORE if scored else Weight.LABEL
        anchor = self._anchor(position)
        if token.spelled and not token.ten and not self._is_spelled_score(position, anchor):
            return  # "one" and "two" count things
        if self.final and (scored or anchor in (Kind.GIVE, Kind.GET) or self._is_final(position)):
            weight = Weight.VERDICT
        elif self.context.heading and group and self._is_label(group[-1], position):
            weight = max(weight, self.context.heading)
        if value <= (10 if weight is Weight.LABEL else 100):
            yield Mention(slot, value, weight)

    def _is_criterion(self, position: int) -> bool:
        """Say whether it rates one criterion alone: "Accuracy: 8", "8/10 for accuracy, ..."."""
        i = position - 1
        while i >= 0 and self.tokens[i].text in _CONNECTORS:
            i -= 1
        if i >= 0 and self.tokens[i].text in CRITERIA:
            return True
        following = self.tokens[position + 1 : position + 4]
        return (
            len(following) == 3
            and following[0].text in ("for", "in", "on")
            and following[1].text in CRITERIA
            and following[2].text == ","
        )

    def _is_spelled_score(self, position: int, anchor: Kind | None) -> bool:
        """ "a score of eight", "Score for Assistant 1: eight", "an eight" where something is given."""
        before = self.tokens[position - 1].text if position else ""
        if anchor is Kind.MARK or (self.marked and before == ":"):
            return True
        return self.rated and before in ("a", "an")

    def _is_final(self, position: int) -> bool:
        """Say whether "Overall:" stands right before the number."""
        i = position - 1
        while i >= 0 and self.tokens[i].text in _CONNECTORS:
            i -= 1
        return i >= 0 and self.tokens[i].kind is Kind.FINAL

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
            (self.tokens[i].text in _FILLERS and self.tokens[i].kind is not Kind.MARK)
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
        if anchor in (Kind.MARK, Kind.GIVE, Kind.GET) or self._is_final(position):
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
            bracketed = self.tokens[slot].text[-1] in "])"
            return self.rated or bracketed or len(self.tokens) == 2
        texts = [token.text for token in between]
        if all(text in ("a", "an", "at", "of", "them") for text in texts):
            return self.rated
        if self.marked and all(text in _FILLERS or text in _CONNECTORS for text in texts):
            return True
        return texts[0] in _CONNECTORS and all(
            text in _CONNECTORS - {","} or text in _ROUGHLY for text in texts
        )

    def _forward(self, position: int) -> tuple[list[int], int]:
        """Return the slots of "8 for Assistant 1", "9 points to the second", and where they end."""
        i = position + 1
        while i < len(self.tokens) and (
            self.tokens[i].text in _BEFORE_FOR or self.tokens[i].kind is Kind.GIVE
        ):
            i += 1
        if (
            i + 1 < len(self.tokens)
            and (self.tokens[i].text in "([" or (position == 0 and self.tokens[i].text in ":-"))
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
            alone = len(self.tokens) == 1 and self.tokens[0].ten
            if spoken_for and (self.rated or self.final or self.context.awaiting or alone):
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
