"""Runs side by side, iteration by iteration: pools, difficulty, training, held-out scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from comd_platform.config.differences import differing
from comd_platform.evaluation.statistics import Comparison
from comd_platform.reports.evaluations import run_scores, student_results
from comd_platform.reports.summary import IterationRow, run_summary
from comd_platform.reports.verdicts import compare_items
from comd_platform.runs import find_run
from comd_platform.tables import Run

Value = float | int | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure in one iteration of every run, in the order of the runs; None where it is unknown.

    `shared`: for each run whether that iteration is one that it shares with the leftmost.
    """

    iteration: int
    measure: str
    values: tuple[Value, ...]
    shared: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Tested:
    """A run's student against the leftmost run's, on the same items of a benchmark."""

    benchmark: str
    iteration: int
    run: str
    result: Comparison


@dataclass(frozen=True, slots=True)
class SideBySide:
    """`settings`: config keys in which the runs differ, each with its value in every run. `tests`: after
    the last iteration that all runs have been scored in."""

    runs: tuple[str, ...]
    settings: dict[str, tuple[Any, ...]]
    rows: tuple[Measured, ...]
    tests: tuple[Tested, ...]


_MEASURES: dict[str, Callable[[IterationRow], Value]] = {
    "tuning pool": lambda row: row.tuning_pool,
    "cache pool": lambda row: row.cache_pool,
    "accepted share": lambda row: row.accepted_share,
    "difficult share": lambda row: row.difficult_share,
    "teacher score": lambda row: row.teacher_score,
    "student score": lambda row: row.student_score,
    "flip share": lambda row: row.flip_share,
    "trained examples": lambda row: row.trained_examples,
    "steps": lambda row: row.trained_steps,
    "final loss": lambda row: row.final_loss,
}


def compare_runs(session: Session, names: Sequence[str], *, test: bool = True) -> SideBySide:
    """The runs by name, the first of them the baseline. Raises RunError for an unknown one.

    test: whether to test the students against the baseline's: that resamples, for seconds where a
    benchmark has many items.
    """
    runs = [find_run(session, name) for name in names]
    summaries = [{row.iteration: row for row in run_summary(session, run.id)} for run in runs]
    held_out = [_held_out(session, run.id) for run in runs]
    rows: list[Measured] = []
    for number in sorted({number for summary in summaries for number in summary}):
        found = [summary.get(number) for summary in summaries]
        first = found[0].iteration_id if found[0] else None
        shared = tuple(bool(row) and row is not None and row.iteration_id == first for row in found)
        measured: dict[str, list[Value]] = {
            name: [read(row) if row else None for row in found] for name, read in _MEASURES.items()
        }
        for benchmark in sorted({name for scores in held_out for name, _ in scores}):
            measured[f"held out: {benchmark}"] = [
                scores.get((benchmark, number)) for scores in held_out
            ]
        rows += [
            Measured(number, name, tuple(values), shared)
            for name, values in measured.items()
            if any(value is not None for value in values)
        ]
    benchmarks = sorted({name for scores in held_out for name, _ in scores})
    tests = [
        found
        for name in (benchmarks if test else ())
        for found in _tests(session, runs, held_out, name)
    ]
    settings = differing([run.config for run in runs])
    return SideBySide(tuple(names), settings, tuple(rows), tuple(tests))


def _tests(
    session: Session,
    runs: Sequence[Run],
    held_out: Sequence[Mapping[tuple[str, int], float]],
    benchmark: str,
) -> Iterator[Tested]:
    scored = [{number for name, number in scores if name == benchmark} for scores in held_out]
    common = set.intersection(*scored)
    if not common:
        return
    last = max(common)
    students = [student_results(session, run.id, benchmark, last) for run in runs]
    for run, student in zip(runs[1:], students[1:], strict=True):
        yield Tested(benchmark, last, run.name, compare_items(student, students[0]))


def _held_out(session: Session, run_id: int) -> dict[tuple[str, int], float]:
    return {
        (row.benchmark, row.iteration): row.score
        for row in run_scores(session, run_id)
        if row.iteration is not None and row.who == "student"
    }
