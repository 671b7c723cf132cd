"""Both orders of a judgement taken together (section 3.3.2: "exchanging the positions")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comd_platform.method.difficulty import clamp_score

Scores = tuple[float, float]
Flag = Literal["one_order", "clamped", "flip"]


@dataclass(frozen=True, slots=True)
class Averaged:
    """Scores of teacher and student in [1, 10], and what is to be known about them.

    Flags: `one_order`, the other order could not be read and does not count; `clamped`, the judge wrote
    a number outside [1, 10]; `flip`, the two orders name different winners.
    """

    teacher: float
    student: float
    flags: tuple[Flag, ...]


def average_positions(
    teacher_first: Scores | None, student_first: Scores | None
) -> Averaged | None:
    """Return each model's mean over both orders (section 3.3.2), None if neither could be read.

    Both arguments are (teacher, student), already assigned to the models, as the judge wrote them.
    """
    orders = [scores for scores in (teacher_first, student_first) if scores is not None]
    if not orders:
        return None
    clamped = [(clamp_score(teacher), clamp_score(student)) for teacher, student in orders]
    flags: list[Flag] = []
    if len(orders) == 1:
        flags.append("one_order")
    if any(moved for pair in clamped for _, moved in pair):
        flags.append("clamped")
    if is_flip(teacher_first, student_first):
        flags.append("flip")
    return Averaged(
        teacher=sum(teacher[0] for teacher, _ in clamped) / len(clamped),
        student=sum(student[0] for _, student in clamped) / len(clamped),
        flags=tuple(flags),
    )


def is_flip(teacher_first: Scores | None, student_first: Scores | None) -> bool:
    """Say whether the winner changes with the order: the mark of a judge that prefers a position.

    A tie in one order is not a flip, and neither is an order that could not be read. The arguments are
    those of `average_positions`.
    """
    if teacher_first is None or student_first is None:
        return False
    return (teacher_first[0] - teacher_first[1]) * (student_first[0] - student_first[1]) < 0
