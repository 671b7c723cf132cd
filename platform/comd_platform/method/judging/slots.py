"""Reader of scores that are said to belong to an answer: labels, headings and prose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from comd_platform.method.judging.lexing import AMBIGUOUS, Ambiguous, Kind, Reply, Scores, Token
from comd_platform.method.judging.pairs import SCALE, only, whole_line
from comd_platform.method.judging.sentences import Context, Mention, Sentence, Weight

_MOST_WORDS_IN_HEADING: Final = 3
_THIRD: Final = re.compile(
    r"\b(?i:assistant|model|candidate|response)[ #]{0,2}(?:[3-9]|[C-F]) ?[:=] ?\d"
)
_OPENING: Final = frozenset("([{\"'-")


def declared_or_labelled(reply: Reply) -> Scores | Ambiguous | None:
    """`Output: (8, 9)`, `Assistant 1: 8/10`, "I give the second answer a 9": whatever the order.

    Of the mentions of a slot the heaviest count, and must agree. A declared pair (after "Output" or
    "Scores", or alone in brackets at the end) outweighs mere labels and must agree with scores.
    """
    if _THIRD.search(reply.text):
        return AMBIGUOUS  # more than two were compared: not the question that was asked
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
    return only(found)


def _last_sentence(line: Sequence[Token]) -> Sequence[Token]:
    stops = [i for i, token in enumerate(line[:-1]) if token.kind is Kind.STOP]
    return line[stops[-1] + 1 :] if stops else line


def _mentions(reply: Reply) -> Iterator[Mention]:
    context = Context()
    for line in reply.token_lines:
        _open_section(line, context)
        start = 0
        for end in [i for i, token in enumerate(line) if token.kind is Kind.STOP] + [len(line)]:
            if start < end:
                yield from Sentence(line[start:end], context).mentions()
            start = end + 1
        _note_heading(line, context)


def _open_section(line: Sequence[Token], context: Context) -> None:
    """A line that begins with one slot, and names no other, is about it, and so is what follows."""
    slots = {int(token.value) for token in line if token.kind is Kind.SLOT}
    head = next((token for token in line if token.text not in _OPENING), None)
    if len(slots) > 1:
        context.section = None
    elif head is not None and head.kind is Kind.SLOT:
        context.section = int(head.value)


def _note_heading(line: Sequence[Token], context: Context) -> None:
    """Remember "Scores:" for the labels below it, and "Assistant 1" for a number below it."""
    slots = [token.value for token in line if token.kind is Kind.SLOT]
    has_number = any(token.kind is Kind.NUMBER for token in line)
    has_mark = any(token.kind is Kind.MARK for token in line)
    is_short = len(line) <= _MOST_WORDS_IN_HEADING
    if has_mark and not has_number and (line[-1].text == ":" or is_short):
        final = any(token.kind is Kind.FINAL for token in line)
        context.heading = Weight.VERDICT if final else Weight.SCORE
        if len(set(slots)) != 1:
            context.section = None
    elif not slots and (not is_short or line[-1].text == ":"):
        context.heading = None
    words_here = sum(token.kind is Kind.WORD for token in line)
    context.awaiting = len(slots) == 1 and not has_number and words_here <= _MOST_WORDS_IN_HEADING
