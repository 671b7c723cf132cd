"""How difficult the cache pool is for an iteration's student, and what another τ would choose."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from comd_dashboard import address, findings, links, words
from comd_dashboard.charts import difficulty as charts
from comd_dashboard.data import read
from comd_dashboard.panels.panel import draw, guarded, metric, metrics, nothing_yet, panel, subtitle
from comd_dashboard.plain import markdown
from comd_platform.plain import line
from comd_platform.reports import difficulty as sums
from comd_platform.reports.browsing import Filters, browse
from comd_platform.reports.cells import ScoreCell, score_cells
from comd_platform.reports.planning import method_config, next_pool
from comd_platform.reports.pools import acceptance, augmentation_funnel
from comd_platform.reports.runs import RunRow

EXAMPLES = 6


def difficulty(run: RunRow) -> None:
    """The whole page: an iteration, a threshold, and everything that follows from the two."""
    cells = read(score_cells, run.run_id)
    assessed = sorted({cell.iteration for cell in cells})
    if not assessed:
        with panel():
            judged = run.selection in {"competitive", "regret"}
            why = (
                "Nothing has been assessed yet; difficulty comes of the assessor's scores."
                if judged
                else "This run does not choose by difficulty, so it is spared the assessor."
            )
            nothing_yet("Difficulty", why, f"comd iterate {run.run}" if judged else None)
        return
    moved(run, cells, assessed)


@st.fragment
def moved(run: RunRow, cells: Sequence[ScoreCell], assessed: list[int]) -> None:
    """Only this is drawn again when τ moves: sums over the cells, and no query of size."""
    with guarded():
        _moved(run, cells, assessed)


def _moved(run: RunRow, cells: Sequence[ScoreCell], assessed: list[int]) -> None:
    left, right = st.columns([1, 2])
    with left:
        iteration = address.choice(
            "After iteration",
            assessed,
            "iteration",
            default=assessed[-1],
            look="segments",
            follow=True,
        )
    with right:
        threshold = address.number(
            "Threshold τ",
            0.0,
            1.0,
            "tau",
            default=run.threshold,
            step=0.01,
            help="Difficult is what scores S of τ or more (eq. 6); at 1 nothing is. The run itself "
            f"uses {run.threshold:g}; moving this changes nothing in it.",
        )
    of_it = [cell for cell in cells if cell.iteration == iteration]
    if not any(cell.difficulty is not None for cell in of_it):
        with panel():
            nothing_yet("Difficulty", "No reply of the assessor could be read.", "comd sql --help")
        return
    _next(run, of_it, threshold)
    left, right = st.columns(2)
    with left, panel():
        draw(
            charts.histogram(sums.histogram(of_it, threshold), threshold, run.threshold),
            findings.difficulty(sums.bands(of_it, threshold), threshold),
            f"The cache pool under the student of iteration {iteration}. S is 1 where both failed, "
            "and small where both did well.",
        )
        rows = sums.standings(of_it, threshold)
        draw(
            charts.standings(rows),
            findings.standings(rows),
            "Both weak: difficult even if both had the better one's score.",
        )
    with right, panel():
        _map(run, iteration, of_it, threshold)
    with panel():
        types = sums.bands_by_task_type(of_it, threshold)
        draw(
            charts.by_task_type(types),
            findings.task_types(types),
            "The most frequent task types; a child keeps its parent's.",
        )


def _next(run: RunRow, cells: Sequence[ScoreCell], threshold: float) -> None:
    found, own = sums.bands(cells, threshold), sums.bands(cells, run.threshold)
    method = read(method_config, run.run_id)
    assert method is not None  # the run is there
    pool = next_pool(cells, method, threshold, acceptance(read(augmentation_funnel, run.run_id)))
    share = words.percent(found.difficult_share)
    with metrics():
        metric("Difficult", f"{words.count(found.difficult)} · {share}")
        metric("Easy", words.count(found.easy))
        if found.unscored:
            metric("Unscored", words.count(found.unscored), "Neither order could be read.")
        if threshold != run.threshold:
            metric(
                f"Difficult at the run's own {run.threshold:g}",
                f"{words.count(own.difficult)} · {words.percent(own.difficult_share)}",
            )
        if pool is not None:
            metric("Sources of the next pool", words.count(pool.quota.sources))
            if pool.expected is not None:
                metric("New instructions, about", words.count(pool.expected))
    st.caption(markdown(findings.next_pool(pool, run.selection), 600))


def _map(run: RunRow, iteration: int, cells: Sequence[ScoreCell], threshold: float) -> None:
    on_map = sums.score_map(cells, threshold)
    meaning = _better(cells)
    subtitle(
        meaning,
        "Each square: instructions with these two scores, the more, the fuller its colour. Above the "
        "line the student is ahead. Click a square for its instructions.",
    )
    event = st.altair_chart(
        charts.score_map(on_map, threshold).properties(description=meaning),
        width="stretch",
        on_select="rerun",
        selection_mode=charts.CELL,
        key=f"map-{run.run_id}-{iteration}",
    )
    for point in event["selection"][charts.CELL] or ():  # an empty mapping where none is picked
        for cell in on_map:
            if (cell.teacher, cell.student) == (point["teacher"], point["student"]):
                _cell(run, iteration, cell)


def _better(cells: Sequence[ScoreCell]) -> str:
    teacher, student = sums.mean_score(cells, "teacher"), sums.mean_score(cells, "student")
    return f"The teacher scores {teacher:.2f} on average, the student {student:.2f}"


def _cell(run: RunRow, iteration: int, cell: sums.MapCell) -> None:
    st.caption(
        f"Teacher {cell.teacher:g}, student {cell.student:g}: "
        f"{words.count(cell.instructions)} instructions"
    )
    found = read(
        browse,
        run.run_id,
        Filters(iteration, teacher=cell.teacher_range, student=cell.student_range),
        limit=EXAMPLES,
    )
    st.code("\n".join(line(row.text, 120) for row in found.rows), language=None, wrap_lines=True)
    links.browse(
        "All of them",
        links.browsing(run.run, iteration, teacher=cell.teacher_range, student=cell.student_range),
    )
