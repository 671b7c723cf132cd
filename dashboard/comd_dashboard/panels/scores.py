"""How well the student does."""

from __future__ import annotations

from collections.abc import Sequence

from comd_dashboard import address
from comd_dashboard.charts import scores as charts
from comd_dashboard.data import read
from comd_dashboard.panels.panel import draw, nothing_yet, panel
from comd_platform.reports.evaluations import run_scores
from comd_platform.reports.runs import RunRow
from comd_platform.reports.summary import mean_scores


def judged(run: RunRow) -> None:
    """The assessor's mean scores."""
    with panel():
        rows = [row for row in read(mean_scores, run.run_id) if row.scored]
        if not rows:
            why = (
                "No iteration has been assessed yet; this comes at its end."
                if run.selection == "competitive"
                else "This run does not choose by difficulty, so it is spared the assessor."
            )
            nothing_yet(
                "Scores of the assessor",
                why,
                f"comd iterate {run.run}" if run.selection == "competitive" else None,
            )
            return
        draw(charts.judged(rows, run.wanted), "Mean score of student and teacher by iteration")


def held_out(run: RunRow, compared: Sequence[RunRow]) -> None:
    """Benchmark scores of this run's students and of the runs it is compared with."""
    with panel():
        scores = {each.run: read(run_scores, each.run_id) for each in (run, *compared)}
        benchmarks = sorted({row.benchmark for row in scores[run.run]})
        if not benchmarks:
            nothing_yet(
                "Held-out scores",
                "Nothing has been evaluated yet. Name benchmarks under evaluation.benchmarks in "
                "the run's config; each student is then scored after its tuning.",
                "comd import benchmark --help",
            )
            return
        chosen = benchmarks[0]
        if len(benchmarks) > 1:
            chosen = address.choice("Benchmark", benchmarks, "benchmark")
        draw(
            charts.held_out(run.run, scores, chosen, run.wanted),
            f"Held-out score on {chosen} by iteration with 95 % intervals",
        )
