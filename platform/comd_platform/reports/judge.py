"""How far the assessor can be trusted: sums over what it said in each order.

Pure: `reports.orders.order_cells` has read the cells.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from comd_platform.method.judging.agreement import correlation, weighted_kappa
from comd_platform.reports.orders import OrderCell

Slot = Literal["first", "second"]

CEILING = 9.0
"""Scores from here on are the top of the scale: where most are, the scale no longer tells apart."""


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """One iteration's pairs of answers, each shown to the assessor in both orders.

    `flips`: the orders name different winners, out of `both_orders`; they are the sum of
    `first_preferred` and `second_preferred`, where both orders prefer what stood first, or second.
    `replies` counts every attempt, `unreadable` those that held no two scores.

    kappa: agreement of the two orders on who won (student, tie, teacher), with quadratic weights;
    correlation: of the student's lead in points. first_bonus: how many points more an answer gets
    for standing first, on average. at_ceiling: the share of all scores that are CEILING or more.
    None where nothing is known.
    """

    iteration: int
    iteration_id: int
    shared: bool
    pairs: int
    replies: int
    unreadable: int
    clamped: int
    both_orders: int
    one_order: int
    unscored: int
    flips: int
    first_preferred: int
    second_preferred: int
    kappa: float | None
    correlation: float | None
    first_bonus: float | None
    at_ceiling: float | None

    @property
    def flip_share(self) -> float | None:
        """Of the pairs that were scored in both orders."""
        return self.flips / self.both_orders if self.both_orders else None

    @property
    def unreadable_share(self) -> float | None:
        """Of the replies."""
        return self.unreadable / self.replies if self.replies else None


@dataclass(frozen=True, slots=True)
class ScoreCount:
    """How often one model got a score of `low` up to the next whole number, over both orders."""

    who: Literal["teacher", "student"]
    score: int
    scores: int


@dataclass(frozen=True, slots=True)
class LeadCount:
    """Pairs by the student's lead (its score minus the teacher's), rounded to whole points."""

    teacher_first: int
    student_first: int
    pairs: int


@dataclass(frozen=True, slots=True)
class SlotScore:
    """The mean score of one model in one slot."""

    who: Literal["teacher", "student"]
    slot: Slot
    score: float


def judge_rows(cells: Iterable[OrderCell]) -> list[JudgeRow]:
    """One row for each iteration that was judged."""
    by_iteration: dict[int, list[OrderCell]] = defaultdict(list)
    for cell in cells:
        by_iteration[cell.iteration].append(cell)
    return [_row(found) for _, found in sorted(by_iteration.items())]


def score_counts(cells: Iterable[OrderCell]) -> list[ScoreCount]:
    """How the scores of both models spread over the scale 1 to 10; every score has a row."""
    counted = {(who, score): 0 for who in ("teacher", "student") for score in range(1, 11)}
    for cell in cells:
        for who, scores in (
            ("teacher", (cell.teacher_1, cell.teacher_2)),
            ("student", (cell.student_1, cell.student_2)),
        ):
            for score in scores:
                if score is not None:
                    counted[who, math.floor(score)] += cell.pairs
    return [
        ScoreCount("teacher" if who == "teacher" else "student", score, number)
        for (who, score), number in counted.items()
    ]


def lead_counts(cells: Iterable[OrderCell]) -> list[LeadCount]:
    """Pairs scored in both orders by the student's lead in each: on the diagonal they agree."""
    counted: dict[tuple[int, int], int] = defaultdict(int)
    for cell in cells:
        leads = _leads(cell)
        if leads is not None:
            counted[_whole(leads[0]), _whole(leads[1])] += cell.pairs
    return [LeadCount(first, second, pairs) for (first, second), pairs in sorted(counted.items())]


def slot_scores(cells: Iterable[OrderCell]) -> list[SlotScore]:
    """The mean score of each model in each slot, over the pairs that were scored in both orders."""
    total = 0
    sums = dict.fromkeys(
        (("teacher", "first"), ("teacher", "second"), ("student", "first"), ("student", "second")),
        0.0,
    )
    for cell in cells:
        if (
            cell.teacher_1 is None
            or cell.student_1 is None
            or cell.teacher_2 is None
            or cell.student_2 is None
        ):
            continue
        total += cell.pairs
        sums["teacher", "first"] += cell.teacher_1 * cell.pairs
        sums["teacher", "second"] += cell.teacher_2 * cell.pairs
        sums["student", "first"] += cell.student_2 * cell.pairs
        sums["student", "second"] += cell.student_1 * cell.pairs
    if not total:
        return []
    return [
        SlotScore(
            "teacher" if who == "teacher" else "student",
            "first" if slot == "first" else "second",
            value / total,
        )
        for (who, slot), value in sums.items()
    ]


def _row(cells: Sequence[OrderCell]) -> JudgeRow:
    first = cells[0]
    both = [(cell, leads) for cell in cells if (leads := _leads(cell)) is not None]
    winners: dict[tuple[int, int], int] = defaultdict(int)
    for cell, (one, two) in both:
        winners[_sign(one), _sign(two)] += cell.pairs
    pairs = sum(cell.pairs for cell in cells)
    both_orders = sum(cell.pairs for cell, _ in both)
    unscored = sum(
        cell.pairs for cell in cells if cell.teacher_1 is None and cell.teacher_2 is None
    )
    # lead 1: the teacher stood first. Both prefer the first slot: teacher, then student.
    first_preferred, second_preferred = winners[-1, 1], winners[1, -1]
    bonus = math.fsum((two - one) / 2 * cell.pairs for cell, (one, two) in both)
    scores = [
        (score, cell.pairs)
        for cell in cells
        for score in (cell.teacher_1, cell.student_1, cell.teacher_2, cell.student_2)
        if score is not None
    ]
    known = sum(number for _, number in scores)
    return JudgeRow(
        iteration=first.iteration,
        iteration_id=first.iteration_id,
        shared=first.shared,
        pairs=pairs,
        replies=sum(cell.replies for cell in cells),
        unreadable=sum(cell.unreadable for cell in cells),
        clamped=sum(cell.pairs for cell in cells if cell.clamped),
        both_orders=both_orders,
        one_order=pairs - both_orders - unscored,
        unscored=unscored,
        flips=first_preferred + second_preferred,
        first_preferred=first_preferred,
        second_preferred=second_preferred,
        kappa=weighted_kappa(winners),
        correlation=correlation((one, two, cell.pairs) for cell, (one, two) in both),
        first_bonus=bonus / both_orders if both_orders else None,
        at_ceiling=(
            sum(number for score, number in scores if score >= CEILING) / known if known else None
        ),
    )


def _leads(cell: OrderCell) -> tuple[float, float] | None:
    """The student's lead with the teacher first, and with itself first; None unless both are known."""
    if (
        cell.teacher_1 is None
        or cell.student_1 is None
        or cell.teacher_2 is None
        or cell.student_2 is None
    ):
        return None
    return cell.student_1 - cell.teacher_1, cell.student_2 - cell.teacher_2


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _whole(value: float) -> int:
    """Rounded to the nearest whole number, halves away from 0."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))
