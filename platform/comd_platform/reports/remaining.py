"""What a run has still before it: records by phase, and with them time, tokens and cost.

Pure, over the rows of `progress` and `usage`. The assumption, said once: every coming iteration goes
through the phases of the last complete one and grows its pools by as much as the last growth; a
record takes as long, and as many tokens, as in the newest iteration that knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from comd_platform.reports.progress import PhaseProgress
from comd_platform.reports.usage import UsageRow
from comd_platform.tables.runs import PHASES

WHOLE_CACHE = frozenset({"answer", "judge", "assess"})
"""Phases over the cache pool, which grows; the others work on the tuning pool or on fixed items."""

_GROWING = ("augment", "accept")


@dataclass(frozen=True, slots=True)
class Ahead:
    """Records of one phase that are still to be done; `seconds_each` is None where none is known."""

    iteration: int
    phase: str
    records: float
    seconds_each: float | None


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Seconds until the run's last phase ends. `lacking`: phases ahead whose pace nobody knows yet.

    With something lacking, `seconds` is a lower bound; None where nothing is known at all.
    """

    seconds: float | None
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spending:
    """Tokens and cost: so far, and at the end if it goes on so. Cost is None without prices.

    `of_shared` is the part of `tokens` that the run this one branched from has spent.
    """

    requests: int
    tokens: int
    of_shared: int
    cost: float | None
    tokens_at_end: float | None
    cost_at_end: float | None


def ahead(phases: Sequence[PhaseProgress], wanted: int, *, grows: bool) -> list[Ahead]:
    """What is left of the phase at work, of its iteration, and of the iterations to come.

    Of a run that is not done, that is: a last iteration may be shorter than those before it.
    `phases` as `run_progress` gives them, `wanted` iterations in all; grows: whether later iterations
    write a new pool (any selection but `none`).
    """
    if not phases:
        return []
    current = phases[-1]
    left: list[Ahead] = []
    if current.finished_at is None and current.total is not None:
        records = max(0, current.total - current.done - current.failed)
        left.append(Ahead(current.iteration, current.phase, records, _inverse(current.rate)))
    elif current.finished_at is None:
        left.append(Ahead(current.iteration, current.phase, 1, None))
    begun = {phase.phase for phase in phases if phase.iteration == current.iteration}
    sequence = _sequence(phases, grows)
    after = PHASES.index(current.phase)
    left += [
        _expected(phases, current.iteration, phase)
        for phase in sequence
        if phase not in begun and PHASES.index(phase) > after
    ]
    for iteration in range(current.iteration + 1, wanted + 1):
        left += [_expected(phases, iteration, phase) for phase in sequence]
    return left


def time_left(left: Iterable[Ahead]) -> TimeLeft:
    """The sum over what is ahead; 0 seconds where nothing is."""
    left = [each for each in left if each.records]
    lacking = tuple(dict.fromkeys(each.phase for each in left if each.seconds_each is None))
    known = [each.records * each.seconds_each for each in left if each.seconds_each is not None]
    return TimeLeft(sum(known) if known or not left else None, lacking)


def spending(
    usage: Sequence[UsageRow], phases: Sequence[PhaseProgress], left: Iterable[Ahead]
) -> Spending:
    """What the run has asked of its models, and what it will have at its end."""
    costs = [row.cost for row in usage if row.cost is not None]
    tokens = sum(_tokens(row) for row in usage)
    more_tokens = 0.0
    more_cost = 0.0
    for each in left:
        newest = _newest_usage(usage, phases, each.phase)
        if newest is None:
            continue
        rows, records = newest
        more_tokens += each.records * sum(_tokens(row) for row in rows) / records
        more_cost += each.records * sum(row.cost or 0.0 for row in rows) / records
    return Spending(
        requests=sum(row.requests for row in usage),
        tokens=tokens,
        of_shared=sum(_tokens(row) for row in usage if row.shared),
        cost=sum(costs) if costs else None,
        tokens_at_end=tokens + more_tokens if usage else None,
        cost_at_end=sum(costs) + more_cost if costs else None,
    )


def _sequence(phases: Sequence[PhaseProgress], grows: bool) -> list[str]:
    """The phases of an iteration: those of the last complete one, and those that make its pool."""
    last = phases[-1].iteration
    complete = [phase for phase in phases if phase.iteration < last or phase.finished_at]
    newest = max((phase.iteration for phase in complete if phase.iteration < last), default=last)
    seen = {phase.phase for phase in phases if phase.iteration in (newest, last)}
    if grows:
        seen |= set(_GROWING)
    return [phase for phase in PHASES if phase in seen]


def _expected(phases: Sequence[PhaseProgress], iteration: int, phase: str) -> Ahead:
    """One phase of an iteration to come, from the newest one of its kind that is finished."""
    of_kind = [
        each
        for each in phases
        if each.phase == phase and each.finished_at is not None and each.total is not None
    ]
    if not of_kind:
        return Ahead(iteration, phase, 1, None)
    newest = of_kind[-1]
    records = float(newest.total or 0)
    if phase in WHOLE_CACHE:
        records += _growth(phases) * (iteration - newest.iteration)
    paces = [each.seconds / each.total for each in of_kind if each.total]
    return Ahead(iteration, phase, records, paces[-1] if paces else None)


def _growth(phases: Sequence[PhaseProgress]) -> float:
    """How many instructions the last iteration but the first added, by what it labelled."""
    labelled = [each.total for each in phases if each.phase == "label" and each.iteration > 1]
    known = [total for total in labelled if total is not None]
    return float(known[-1]) if known else 0.0


def _newest_usage(
    usage: Sequence[UsageRow], phases: Sequence[PhaseProgress], phase: str
) -> tuple[list[UsageRow], int] | None:
    """The usage rows of the newest iteration that asked models in `phase`, and its records."""
    numbers = [row.iteration for row in usage if row.phase == phase]
    if not numbers:
        return None
    newest = max(numbers)
    done = sum(each.done for each in phases if (each.iteration, each.phase) == (newest, phase))
    if not done:
        return None
    return [row for row in usage if (row.iteration, row.phase) == (newest, phase)], done


def _tokens(row: UsageRow) -> int:
    return row.prompt_tokens + row.completion_tokens


def _inverse(rate: float | None) -> float | None:
    return 1 / rate if rate else None
