"""What the demo says at the end: a table, the baselines, three lineages, what took how long."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from rich.console import Console
from sqlalchemy import Engine

from comd_platform.db.engine import transaction
from comd_platform.reports.evaluations import ScoreRow, group_scores, run_scores
from comd_platform.reports.lineages import example_lineages
from comd_platform.reports.progress import run_progress
from comd_platform.reports.summary import run_summary
from comd_platform.runs import find_run
from comd_workers.cli.lineage import print_lineage
from comd_workers.cli.output import duration, table
from comd_workers.cli.summary import print_summary
from comd_workers.demo.arms import ARMS, COMPETITIVE
from comd_workers.demo.play import Demo


@dataclass(frozen=True, slots=True)
class ArmScores:
    """An arm's held-out scores by iteration, and those of teacher and untuned student."""

    title: str
    by_iteration: dict[int, ScoreRow]
    references: dict[str, ScoreRow]


def tell(engine: Engine, demo: Demo, console: Console) -> None:
    """Print everything; nothing is left out when it falls the wrong way."""
    with transaction(engine) as session:
        ids = {arm: find_run(session, demo.arm(arm)).id for arm in ARMS}
        competitive = ids[COMPETITIVE]
        arms = [_arm_scores(arm.title, run_scores(session, ids[arm])) for arm in ARMS]
        classes = {arm.title: group_scores(session, ids[arm], "class") for arm in ARMS}
        pools = {arm.title: run_summary(session, ids[arm]) for arm in ARMS}
        lineages = example_lineages(session, competitive)
        phases = [
            row
            for arm in ARMS
            for row in run_progress(session, ids[arm])
            if arm is COMPETITIVE or not row.shared
        ]
    console.print()
    print_summary(engine, demo.arm(COMPETITIVE))
    console.print()
    last = max(arms[0].by_iteration)
    table(
        "Held-out accuracy at equal budget (± standard error); iteration 1 is shared",
        ("arm", *(f"iteration {number}" for number in range(1, last + 1)), "new instructions"),
        [
            (
                arm.title,
                *(_score(arm.by_iteration.get(number)) for number in range(1, last + 1)),
                sum(row.accepted for row in pools[arm.title]),
            )
            for arm in arms
        ],
    )
    console.print()
    table(
        f"By class of question, after iteration {last}",
        ("arm", *sorted({row.value for row in classes[arms[0].title]})),
        [
            (
                title,
                *(
                    f"{row.score:.3f}"
                    for row in sorted(found, key=lambda row: row.value)
                    if row.iteration == last and row.who == "student"
                ),
            )
            for title, found in classes.items()
        ],
    )
    _verdict(console, arms, last)
    for number, lineage in enumerate(lineages, start=1):
        console.print(f"\nLineage {number}: why these training examples exist")
        print_lineage(lineage.relatives)
    seconds: dict[str, float] = defaultdict(float)
    for phase in phases:
        seconds[phase.phase] += phase.seconds
    took = ", ".join(f"{name} {duration(value)}" for name, value in seconds.items())
    console.print(f"\nTime by phase, three arms side by side on two workers: {took}", markup=False)


def _arm_scores(title: str, rows: list[ScoreRow]) -> ArmScores:
    return ArmScores(
        title,
        {row.iteration: row for row in rows if row.iteration is not None},
        {row.who: row for row in rows if row.iteration is None},
    )


def _score(row: ScoreRow | None) -> str:
    if row is None:
        return "-"
    error = f" ± {row.standard_error:.3f}" if row.standard_error is not None else ""
    return f"{row.score:.3f}{error}"


def _verdict(console: Console, arms: list[ArmScores], last: int) -> None:
    """Differences with their sampling error, in words; whichever way they fall."""
    competitive = arms[0].by_iteration[last]
    console.print()
    untuned = arms[0].references.get("untuned student")
    rows = [("the untuned student", untuned)] if untuned else []
    rows += [(arm.title, arm.by_iteration[last]) for arm in arms[1:]]
    for title, other in rows:
        difference = competitive.score - other.score
        error = ((competitive.standard_error or 0) ** 2 + (other.standard_error or 0) ** 2) ** 0.5
        beyond = "beyond" if abs(difference) > 1.96 * error else "within"
        console.print(
            f"competitive - {title}: {difference:+.3f} ({beyond} 1.96 standard errors, "
            f"{1.96 * error:.3f})",
            markup=False,
        )
