"""Has the student passed its teacher? Every model of a run on one benchmark, compared item by item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.evaluation.benchmarks import BENCHMARKS, Result
from comd_platform.evaluation.statistics import Comparison, Interval, bootstrap, compare
from comd_platform.reports.evaluations import ItemScoreRow, item_scores
from comd_platform.tables import Benchmark

Name = tuple[str, int | None]
"""(who, iteration)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One model on the benchmark; `columns` are the paper's, in percent."""

    who: str
    iteration: int | None
    items: int
    unreadable: int
    interval: Interval
    columns: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`first` minus `second`, on the items that both have."""

    first: str
    second: str
    result: Comparison


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Everything about a run on one benchmark; `headline` says whether the teacher is passed."""

    benchmark: str
    headline: str
    standings: list[Standing]
    verdicts: list[Verdict]


def run_verdicts(session: Session, run_id: int, benchmark: str) -> Verdicts | None:
    """None where none of the run's models has finished the benchmark."""
    models: dict[Name, list[ItemScoreRow]] = defaultdict(list)
    for row in item_scores(session, run_id, benchmark):
        models[row.who, row.iteration].append(row)
    if not models:
        return None
    kind = session.scalars(select(Benchmark.kind).where(Benchmark.name == benchmark)).one()
    results = {
        name: {row.key: (row.score, row.reference) for row in rows} for name, rows in models.items()
    }
    verdicts = [
        Verdict(called(first), called(second), compare_items(results[first], results[second]))
        for first, second in _pairs(list(models))
    ]
    return Verdicts(
        benchmark,
        _headline(benchmark, list(models), verdicts),
        [_standing(kind, name, rows) for name, rows in models.items()],
        verdicts,
    )


def called(name: Name) -> str:
    """A model in words: `student 3`, `teacher`."""
    who, iteration = name
    return who if iteration is None else f"{who} {iteration}"


def _pairs(names: list[Name]) -> Iterator[tuple[Name, Name]]:
    """Each checkpoint against the one before; the last of a line against teacher and untuned student."""
    for who in ("student", "fine-tuned student"):
        line = sorted((name for name in names if name[0] == who), key=lambda name: name[1] or 0)
        yield from zip(line[1:], line, strict=False)
        for reference in (("teacher", None), ("untuned student", None)):
            if line and reference in names:
                yield line[-1], reference


def _headline(benchmark: str, names: list[Name], verdicts: list[Verdict]) -> str:
    against = [verdict for verdict in verdicts if verdict.second == "teacher"]
    if not against:
        lacking = "a student" if ("teacher", None) in names else "the teacher"
        return f"{benchmark}: {lacking} has not been scored, so nothing is known of passing it"
    verdict = against[0]
    result = verdict.result
    told = f"{100 * result.difference:+.2f} points, p = {result.p:.2g}, {result.items:,} items"
    if result.p >= 0.05:
        answer = "student and teacher cannot be told apart"
    elif result.difference > 0:
        answer = "the student has passed its teacher"
    else:
        answer = "the student has not passed its teacher"
    return f"{benchmark}: {answer} ({verdict.first}: {told})"


def _standing(kind: str, name: Name, rows: list[ItemScoreRow]) -> Standing:
    return Standing(
        who=name[0],
        iteration=name[1],
        items=len(rows),
        unreadable=sum(row.unreadable for row in rows),
        interval=bootstrap([(row.score, row.reference) for row in rows]),
        columns=BENCHMARKS[kind].report(
            Result(row.groups, row.score, row.reference) for row in rows
        ),
    )


def compare_items(
    first: Mapping[str, tuple[float, float]], second: Mapping[str, tuple[float, float]]
) -> Comparison:
    """Two models, (score, reference) by an item's key, on the items that both have scored.

    Raises ValueError where there are none.
    """
    both = [key for key in first if key in second]
    return compare([first[key] for key in both], [second[key] for key in both])
