"""The difficulty of the cache pool under one iteration's student, at some threshold."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from comd_dashboard.charts import style
from comd_platform.plain import line
from comd_platform.reports.difficulty import (
    MAP_STEP,
    DifficultyBin,
    MapCell,
    StandingRow,
    TaskTypeRow,
    standing_at,
)

FAR = 0.85
"""From here on a label has no room at the right of its line."""

CELL = "cell"
"""The selection of a cell of the score map."""


def histogram(rows: Sequence[DifficultyBin], threshold: float, own: float) -> style.AnyChart:
    """Stacked bars by band; the bin that the threshold cuts holds both colours.

    own: the run's threshold, marked too where it is another one.
    """
    bars = (
        alt.Chart(style.data(rows))
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "low:Q",
                bin="binned",
                title="difficulty S (0 easy, 1 hard)",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(values=[0, 0.2, 0.4, 0.6, 0.8, 1], format=".1f"),
            ),
            x2="high:Q",
            y=alt.Y("instructions:Q", stack="zero", axis=style.counts()),
            color=style.colours("band:N", {"difficult": style.DIFFICULT, "easy": style.EASY}),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=".2f"),
                alt.Tooltip("high:Q", title="to", format=".2f"),
                "band:N",
                alt.Tooltip("instructions:Q", format=","),
            ],
        )
    )
    left = threshold < own or threshold > FAR
    marks = _rule(threshold, f"τ = {threshold:g}", left=left)
    if own != threshold:
        marks += _rule(own, f"run: {own:g}", left=not left, dashed=True)
    return alt.layer(bars, *marks).properties(height=style.HEIGHT)


def score_map(cells: Sequence[MapCell], threshold: float) -> style.AnyChart:
    """Teacher's against student's score, in the colour of what makes a cell difficult; click one."""
    half = MAP_STEP / 2
    values = [
        {
            "teacher": cell.teacher,
            "student": cell.student,
            "teacher_to": cell.teacher + half,
            "teacher_from": cell.teacher - half,
            "student_to": cell.student + half,
            "student_from": cell.student - half,
            "standing": standing_at(cell.teacher, cell.student, threshold),
            "instructions": cell.instructions,
            "difficulty": cell.difficulty,
        }
        for cell in cells
    ]
    picked = alt.selection_point(name=CELL, fields=["teacher", "student"], empty=False)
    scale = alt.Scale(domain=[0.75, 10.25], nice=False)
    axis = alt.Axis(values=list(range(1, 11)), format="d", grid=False, labelOverlap=False)
    rects = (
        alt.Chart(style.data(values))
        .mark_rect(cursor="pointer", cornerRadius=1)
        .encode(
            x=alt.X("teacher_from:Q", title="teacher's score", scale=scale, axis=axis),
            x2="teacher_to:Q",
            y=alt.Y("student_from:Q", title="student's score", scale=scale, axis=axis),
            y2="student_to:Q",
            color=alt.Color(
                "standing:N",
                scale=alt.Scale(domain=list(style.STANDINGS), range=list(style.STANDINGS.values())),
                legend=None,
            ),
            opacity=alt.Opacity(
                "instructions:Q",
                scale=alt.Scale(type="log", range=[0.3, 1]),
                legend=None,
            ),
            stroke=alt.condition(picked, alt.value(style.TEACHER), alt.value("transparent")),
            strokeWidth=alt.value(3),
            tooltip=[
                alt.Tooltip("teacher:Q", title="teacher", format=".1f"),
                alt.Tooltip("student:Q", title="student", format=".1f"),
                alt.Tooltip("instructions:Q", format=","),
                alt.Tooltip("difficulty:Q", title="difficulty S", format=".2f"),
                "standing:N",
            ],
        )
        .add_params(picked)
    )
    level = (
        alt.Chart(style.data([{"from": 1, "to": 10}]))
        .mark_rule(color=style.RULE, strokeDash=[4, 4])
        .encode(
            x=alt.X("from:Q", scale=scale),
            y=alt.Y("from:Q", scale=scale),
            x2="to:Q",
            y2="to:Q",
        )
    )
    return alt.layer(level, rects).properties(height=style.HEIGHT + 210)


def standings(rows: Sequence[StandingRow]) -> style.AnyChart:
    """One bar, split by what makes the instructions difficult."""
    values = [
        {
            "standing": row.standing,
            "instructions": row.instructions,
            "share": row.share,
            "order": order,
        }
        for order, row in enumerate(rows)
    ]
    chart: alt.Chart = (
        alt.Chart(style.data(values))
        .mark_bar(size=30)
        .encode(
            x=alt.X(
                "share:Q",
                stack="zero",
                title="share of the scored instructions",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format=".0%", tickCount=5),
            ),
            color=style.colours("standing:N", style.STANDINGS),
            order=alt.Order("order:Q"),
            tooltip=[
                "standing:N",
                alt.Tooltip("instructions:Q", format=","),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        )
        .properties(height=160)
    )
    return chart


def by_task_type(rows: Sequence[TaskTypeRow], most: int = 12) -> style.AnyChart:
    """The difficult share of the `most` frequent task types, the most difficult first."""
    values = [
        {
            "type": line(row.task_type, 40),
            "share": row.difficult_share,
            "label": f"{100 * row.difficult_share:.0f} %",
            "difficult": row.difficult,
            "easy": row.easy,
            "teacher": row.teacher_score,
            "student": row.student_score,
        }
        for row in rows[:most]
        if row.difficult_share is not None
    ]
    base = alt.Chart(style.data(values)).encode(
        y=alt.Y("type:N", sort="-x", title=None, axis=alt.Axis(labelLimit=140)),
        x=alt.X(
            "share:Q",
            title="difficult share of the scored instructions",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format=".0%", tickCount=5),
        ),
        tooltip=[
            alt.Tooltip("type:N", title="task type"),
            alt.Tooltip("difficult:Q", format=","),
            alt.Tooltip("easy:Q", format=","),
            alt.Tooltip("teacher:Q", title="teacher's mean score", format=".2f"),
            alt.Tooltip("student:Q", title="student's mean score", format=".2f"),
        ],
    )
    bars = base.mark_bar(color=style.DIFFICULT)
    labels = base.mark_text(align="left", dx=6, color=style.RULE, fontSize=12).encode(
        text="label:N"
    )
    return alt.layer(bars, labels).properties(height=max(120, 40 * len(values) + 50))


def _rule(at: float, label: str, *, left: bool, dashed: bool = False) -> list[alt.Chart]:
    """A line at a threshold, with its label on the side where the other line is not."""
    mark = style.data([{"threshold": at, "label": label}])
    return [
        alt.Chart(mark)
        .mark_rule(color=style.RULE, strokeDash=[5, 4] if dashed else [1, 0], strokeWidth=2)
        .encode(x="threshold:Q"),
        alt.Chart(mark)
        .mark_text(
            align="right" if left else "left",
            dx=-6 if left else 6,
            baseline="top",
            color=style.RULE,
            fontSize=12,
        )
        .encode(x="threshold:Q", y=alt.value(18 if dashed else 2), text="label:N"),
    ]
