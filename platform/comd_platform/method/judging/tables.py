"""Reader of Markdown tables: assistants as rows or as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from comd_platform.method.judging.grammar import words
from comd_platform.method.judging.lexing import (
    AMBIGUOUS,
    Ambiguous,
    Kind,
    Reply,
    Scores,
    Token,
    tokenise,
)

Row = list[list[Token]]

_ANSWERS: Final = words("assistant assistants answer answers response responses model models")
_BARE: Final = {"1": 1, "2": 2, "a": 1, "b": 2}
_VERDICT: Final = (Kind.FINAL, Kind.MARK)  # where there are several, the overall one counts


def markdown_table(reply: Reply) -> Scores | Ambiguous | None:
    """Return the scores of the reply's tables; all that hold scores must agree.

    Of several rows or columns with numbers (criteria) only one called overall, final or score counts.
    """
    found: set[Scores] = set()
    for table in _tables(reply):
        scores = _slots_as_columns(table) or _slots_as_rows(table)
        if isinstance(scores, Ambiguous):
            return AMBIGUOUS
        if scores is not None:
            found.add(scores)
    if len(found) > 1:
        return AMBIGUOUS
    return next(iter(found), None)


def _tables(reply: Reply) -> list[list[Row]]:
    tables: list[list[Row]] = [[]]
    for line in reply.lines:
        if line.count("|") < 1:
            tables.append([])
        elif line.strip("|-: "):
            cells = line.removeprefix("|").removesuffix("|").split("|")
            tables[-1].append([tokenise(cell.strip()) for cell in cells])
    return [table for table in tables if len(table) >= 2]


def _slots_as_columns(table: Sequence[Row]) -> Scores | Ambiguous | None:
    header = [_slot(cell) for cell in table[0]]
    if header.count(1) != 1 or header.count(2) != 1:
        return None
    first, second = header.index(1), header.index(2)
    rows: list[tuple[Sequence[Token], Scores]] = []
    for row in table[1:]:
        if len(row) != len(header):
            continue
        one, two = _score(row[first]), _score(row[second])
        if one is not None and two is not None:
            rows.append((row[0] if first > 0 and second > 0 else (), (one, two)))
    return _verdict(rows)


def _slots_as_rows(table: Sequence[Row]) -> Scores | Ambiguous | None:
    rows = {slot: row for row in table if (slot := _slot(row[0])) is not None}
    if not rows and _names_answers(table[0][0]):
        rows = {slot: row for row in table[1:] if (slot := _bare_slot(row[0])) is not None}
    if set(rows) != {1, 2} or len(rows[1]) != len(rows[2]):
        return None
    titles = table[0] if table[0] is not rows[1] and table[0] is not rows[2] else []
    columns: list[tuple[Sequence[Token], Scores]] = []
    for number in range(1, len(rows[1])):
        one, two = _score(rows[1][number]), _score(rows[2][number])
        if one is not None and two is not None:
            columns.append((titles[number] if number < len(titles) else (), (one, two)))
    return _verdict(columns)


def _verdict(named: Sequence[tuple[Sequence[Token], Scores]]) -> Scores | Ambiguous | None:
    """Return the one pair, or the one whose name says that it is the verdict."""
    if not named:
        return None
    if len(named) == 1:
        return named[0][1]
    for kind in _VERDICT:
        verdicts = {scores for name, scores in named if any(token.kind is kind for token in name)}
        if len(verdicts) == 1:
            return verdicts.pop()
    return AMBIGUOUS


def _slot(cell: Sequence[Token]) -> int | None:
    slots = {int(token.value) for token in cell if token.kind is Kind.SLOT}
    return slots.pop() if len(slots) == 1 else None


def _names_answers(title: Sequence[Token]) -> bool:
    return len(title) == 1 and title[0].text in _ANSWERS


def _bare_slot(cell: Sequence[Token]) -> int | None:
    """1 or 2 for a cell that is just `1`, `2`, `A` or `B`, below a title that says what they are."""
    return _BARE.get(cell[0].text.lower()) if len(cell) == 1 else None


def _score(cell: Sequence[Token]) -> float | None:
    numbers = [token for token in cell if token.kind in (Kind.NUMBER, Kind.NOISE)]
    if len(numbers) != 1 or numbers[0].kind is Kind.NOISE or cell[0] is not numbers[0]:
        return None
    return numbers[0].value if 0 <= numbers[0].value <= 10 else None
