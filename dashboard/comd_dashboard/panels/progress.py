"""Whether the student gets better, and whether it has passed its teacher."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from comd_dashboard import address, findings, words
from comd_dashboard.charts import progress as charts
from comd_dashboard.data import read
from comd_dashboard.panels.panel import draw, nothing_yet, panel, subtitle
from comd_platform.plain import line
from comd_platform.reports import against_teacher
from comd_platform.reports.against_teacher import held_out_against_teacher
from comd_platform.reports.cells import score_cells
from comd_platform.reports.comparison import Measured, SideBySide, compare_runs
from comd_platform.reports.evaluations import run_scores
from comd_platform.reports.runs import RunRow
from comd_platform.reports.training import loss_curve

MEASURES: dict[charts.Measure, str] = {
    "not_lost": "student wins or ties",
    "student_score": "student's score",
    "teacher_score": "teacher's score",
}


def outcomes(run: RunRow) -> None:
    """Wins, ties and losses against the teacher, as the assessor scored the cache pool."""
    with panel():
        rows = against_teacher.outcomes(read(score_cells, run.run_id))
        if not rows:
            judged = run.selection in {"competitive", "regret"}
            why = (
                "No iteration has been assessed yet; this comes at its end."
                if judged
                else "This run does not choose by difficulty, so it is spared the assessor."
            )
            nothing_yet("Against the teacher", why, f"comd iterate {run.run}" if judged else None)
            return
        draw(
            charts.outcomes(rows, run.wanted),
            findings.outcomes(rows),
            "As the assessor scores it. The pool grows harder as difficult ones are added. Bars: "
            "95 % (Wilson).",
        )


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
        above = st.container()
        benchmark = benchmarks[0]
        if len(benchmarks) > 1:
            benchmark = address.choice(
                "Benchmark", benchmarks, "benchmark", shown=lambda name: line(name, 60)
            )
        of_it = [row for row in scores[run.run] if row.benchmark == benchmark]
        against = [
            row for row in read(held_out_against_teacher, run.run_id) if row.benchmark == benchmark
        ]
        with above:
            draw(
                charts.held_out(run.run, scores, benchmark, run.wanted),
                findings.held_out(of_it, against, benchmark),
                "On items that no iteration trains on. Bars: 95 % (1.96 standard errors); level "
                "lines: the teacher, and the student before any tuning.",
            )


def by_task_type(run: RunRow) -> None:
    """A matrix of task types and iterations."""
    with panel():
        rows = against_teacher.by_task_type(read(score_cells, run.run_id))
        if not any(row.scored for row in rows):
            nothing_yet("By task type", "Nothing has been assessed yet.")
            return
        meaning = findings.type_matrix(rows)
        subtitle(meaning, "Task types by frequency; iterations across.")
        measure = address.choice(
            "Measure",
            list(MEASURES),
            "measure",
            shown=lambda name: MEASURES[name],
            look="segments",
            label_visibility="collapsed",
        )
        chart = charts.by_task_type(rows, measure)
        st.altair_chart(chart.properties(description=meaning), width="stretch")


def training(run: RunRow) -> None:
    """Loss, learning rate and tokens a second, by step."""
    points = read(loss_curve, run.run_id)
    if not points:
        with panel():
            nothing_yet("Training", "No iteration has been trained yet.", f"comd iterate {run.run}")
        return
    columns = st.columns(3)
    with columns[0], panel():
        draw(charts.curve(points, "loss"), findings.loss(points))
    with columns[1], panel():
        highest = max(point.learning_rate for point in points)
        draw(charts.curve(points, "learning_rate"), f"The learning rate peaks at {highest:.2g}")
    with columns[2], panel():
        known = [p.tokens_per_second for p in points if p.tokens_per_second is not None]
        mean = words.short(sum(known) / len(known)) if known else words.NONE
        draw(charts.curve(points, "tokens_per_second"), f"{mean} tokens a second on average")


def comparison(run: RunRow, compared: Sequence[RunRow]) -> None:
    """The runs side by side, the leftmost being the baseline."""
    with panel():
        if not compared:
            nothing_yet(
                "Runs side by side",
                "Choose other runs under “Compare with”; the run above it is the baseline.",
                f"comd compare {run.run} OTHER",
            )
            return
        found = read(compare_runs, tuple(each.run for each in (run, *compared)), test=False)
        subtitle(
            "Runs side by side",
            f"The baseline is {run.run}, leftmost; in brackets how far the others are from it.",
        )
        _settings(found)
        iterations = sorted({row.iteration for row in found.rows})
        iteration = address.choice(
            "Iteration",
            iterations,
            "compared",
            default=iterations[-1],
            look="segments",
            follow=True,
        )
        _measures(found, iteration)
        others = " ".join(line(each.run) for each in (run, *compared))
        st.caption("Which of the differences held out are more than chance:")
        st.code(f"comd compare {others}", language=None)


def _settings(found: SideBySide) -> None:
    if not found.settings:
        return
    told = {"setting": [line(name) for name in found.settings]}
    for place, run in enumerate(found.runs):
        told[line(run)] = [line(v[place]) for v in found.settings.values()]
    with st.expander(f"Settings that differ: {len(found.settings)}"):
        st.dataframe(pd.DataFrame(told), hide_index=True, width="stretch")


def _measures(found: SideBySide, iteration: int) -> None:
    rows = [row for row in found.rows if row.iteration == iteration]
    told = {"measure": [line(row.measure) for row in rows]}
    for place, run in enumerate(found.runs):
        told[line(run)] = [_value(row, place) for row in rows]
    height = 38 + 35 * len(rows)
    st.dataframe(pd.DataFrame(told), hide_index=True, width="stretch", height=height)


def _value(row: Measured, place: int) -> str:
    value, base = row.values[place], row.values[0]
    if value is None:
        return words.NONE
    if place and row.shared[place]:
        return "shared"
    share = "share" in row.measure or row.measure.startswith("held out")
    told = words.percent(value, 1) if share else _number(value)
    if not place or base is None or value == base:
        return told
    if share:
        return f"{told}  ({words.points(100 * (value - base), 1)})"
    whole = isinstance(value, int) and isinstance(base, int)
    away = f"{value - base:+,d}" if whole else words.points(value - base, 3)
    return f"{told}  ({away})".replace("-", "\u2212")


def _number(value: float) -> str:
    return f"{value:,d}" if isinstance(value, int) else f"{value:.3f}"
