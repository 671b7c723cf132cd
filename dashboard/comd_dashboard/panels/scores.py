"""How well the student does."""

from __future__ import annotations

from collections.abc import Sequence

from comd_dashboard import address
from comd_dashboard.charts import scores as charts
from comd_dashboard.data import read
from comd_dashboard.panels.panel import draw, nothing_yet, panel
from comd_platform.reports.evaluations import run_scores
from comd_platform.reports.runs import RunRow


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
