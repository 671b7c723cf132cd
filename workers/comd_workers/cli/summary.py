"""The table of a run's iterations: what `comd status`, `comd iterate` and the demo end with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comd_workers.cli.output import build_table, console_for_people, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group
    from sqlalchemy import Engine

    from comd_platform.reports.evaluations import ScoreRow
    from comd_platform.reports.summary import IterationRow

_COLUMNS = (
    "iteration",
    "pool",
    "cache",
    "accepted",
    "difficult",
    "flips",
    "teacher",
    "student",
    "held out",
)


def print_summary(engine: Engine, run: str) -> None:
    """The table, on stdout."""
    from comd_platform.db.engine import transaction
    from comd_platform.reports.evaluations import run_scores
    from comd_platform.reports.summary import run_summary
    from comd_platform.runs import find_run

    with transaction(engine) as session:
        run_id = find_run(session, run).id
        rows, scores = run_summary(session, run_id), run_scores(session, run_id)
    console_for_people().print(summary(run, rows, scores))


def summary(run: str, rows: Sequence[IterationRow], scores: Sequence[ScoreRow]) -> Group:
    """One row an iteration; under it, on the same benchmarks, the teacher and the untuned student."""
    from rich.console import Group
    from rich.text import Text

    held_out = {score.iteration: score for score in scores if score.iteration is not None}
    made = build_table(
        _COLUMNS,
        (
            (
                row.iteration,
                row.tuning_pool,
                row.cache_pool,
                percent(row.accepted_share),
                percent(row.difficult_share),
                percent(row.flip_share),
                row.teacher_score,
                row.student_score,
                _held_out(held_out.get(row.iteration)),
            )
            for row in rows
        ),
    )
    references = [
        Text(f"{score.benchmark}, {score.who}: {_held_out(score)}")
        for score in scores
        if score.iteration is None
    ]
    return Group(Text(f"run {run}", style="bold"), made, *references)


def _held_out(score: ScoreRow | None) -> str:
    if score is None:
        return "-"
    error = f" ± {score.standard_error:.3f}" if score.standard_error is not None else ""
    return f"{score.score:.3f}{error}"
