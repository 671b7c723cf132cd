"""What an ablation came to: scores by variant and seed, means, spread, paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.evaluation.over_seeds import Difference, Spread, paired, spread
from comd_platform.reports.evaluations import run_scores
from comd_platform.reports.summary import run_summary
from comd_platform.runs import find_run

JUDGED = "student score (judged)"


@dataclass(frozen=True, slots=True)
class Played:
    """One run of an ablation: its variant (by title), seed and name."""

    variant: str
    seed: int
    run: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One variant under one measure, after the last iteration that all runs have finished.

    `difference` is to the baseline variant over the same seeds; None for the baseline itself.
    """

    variant: str
    measure: str
    by_seed: dict[int, float]
    spread: Spread
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Results:
    baseline: str
    iteration: int
    played: tuple[Played, ...]
    outcomes: tuple[Outcome, ...]


def results(session: Session, played: Sequence[Played], baseline: str) -> Results:
    """Read the scores of every run; the last iteration that all of them have is compared.

    Measures: every benchmark's held-out score, and the judged score where all were assessed.
    """
    scores = {each.run: _by_iteration(session, each.run) for each in played}
    last = min(max(found, default=0) for found in scores.values())
    measures = sorted(set.intersection(*(set(scores[each.run].get(last, {})) for each in played)))
    values: dict[tuple[str, str], dict[int, float]] = {}
    for each in played:
        for measure in measures:
            found = values.setdefault((measure, each.variant), {})
            found[each.seed] = scores[each.run][last][measure]
    outcomes = [
        Outcome(
            variant,
            measure,
            by_seed,
            spread(list(by_seed.values())),
            None if variant == baseline else paired(by_seed, values[measure, baseline]),
        )
        for (measure, variant), by_seed in values.items()
    ]
    return Results(baseline, last, tuple(played), tuple(outcomes))


def _by_iteration(session: Session, run: str) -> dict[int, dict[str, float]]:
    """Scores of a run's finished iterations, by measure."""
    run_id = find_run(session, run).id
    found: dict[int, dict[str, float]] = {
        row.iteration: {} for row in run_summary(session, run_id) if row.phase == "done"
    }
    for row in run_summary(session, run_id):
        if row.iteration in found and row.student_score is not None:
            found[row.iteration][JUDGED] = row.student_score
    for score in run_scores(session, run_id):
        if score.iteration in found and score.who == "student":
            found[score.iteration][score.benchmark] = score.score
    return found
