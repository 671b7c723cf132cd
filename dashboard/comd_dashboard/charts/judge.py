"""How far the assessor can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from comd_dashboard.charts import style
from comd_platform.reports.judge import JudgeRow, LeadCount, ScoreCount, SlotScore

SHARES = {
    "orders disagree": style.DIFFICULT,
    "unreadable": style.RULE,
    "scores of 9 up": style.TEACHER,
}
WHO = {"student": style.STUDENT, "teacher": style.TEACHER}


def over_iterations(rows: Sequence[JudgeRow], wanted: int) -> style.AnyChart:
    """What goes wrong, and how often, by iteration."""
    points = [
        {"iteration": row.iteration, "what": what, "share": share}
        for row in rows
        for what, share in zip(
            SHARES, (row.flip_share, row.unreadable_share, row.at_ceiling), strict=True
        )
        if share is not None
    ]
    chart: alt.Chart = (
        alt.Chart(style.data(points))
        .mark_line(point=alt.OverlayMarkDef(size=70, filled=True), strokeWidth=2.5)
        .encode(
            x=style.iterations(1, max(wanted, *(row.iteration for row in rows))),
            y=alt.Y(
                "share:Q",
                title="share",
                scale=alt.Scale(domainMin=0),
                axis=alt.Axis(format=".0%", tickCount=5),
            ),
            color=style.colours("what:N", SHARES),
            tooltip=["iteration:O", "what:N", alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=style.HEIGHT)
    )
    return chart


def leads(rows: Sequence[LeadCount]) -> style.AnyChart:
    """The student's lead in one order against the other: agreement lies on the diagonal."""
    values = [
        {
            "one": row.teacher_first,
            "two": row.student_first,
            "x1": row.teacher_first - 0.5,
            "x2": row.teacher_first + 0.5,
            "y1": row.student_first - 0.5,
            "y2": row.student_first + 0.5,
            "pairs": row.pairs,
            "what": "orders disagree" if row.teacher_first * row.student_first < 0 else "same",
        }
        for row in rows
    ]
    scale = alt.Scale(domain=[-9.5, 9.5], nice=False)
    axis = alt.Axis(values=list(range(-9, 10, 3)), format="+d", grid=False)
    rects = (
        alt.Chart(style.data(values))
        .mark_rect(cornerRadius=1)
        .encode(
            x=alt.X("x1:Q", title="lead with the teacher first", scale=scale, axis=axis),
            x2="x2:Q",
            y=alt.Y("y1:Q", title="lead with the student first", scale=scale, axis=axis),
            y2="y2:Q",
            color=alt.condition(
                "datum.one * datum.two < 0", alt.value(style.DIFFICULT), alt.value(style.STUDENT)
            ),
            opacity=alt.Opacity(
                "pairs:Q", scale=alt.Scale(type="log", range=[0.3, 1]), legend=None
            ),
            tooltip=[
                alt.Tooltip("one:Q", title="teacher first", format="+d"),
                alt.Tooltip("two:Q", title="student first", format="+d"),
                alt.Tooltip("pairs:Q", format=","),
                "what:N",
            ],
        )
    )
    level = (
        alt.Chart(style.data([{"from": -9, "to": 9}]))
        .mark_rule(color=style.RULE, strokeDash=[4, 4])
        .encode(
            x=alt.X("from:Q", scale=scale), y=alt.Y("from:Q", scale=scale), x2="to:Q", y2="to:Q"
        )
    )
    return alt.layer(level, rects).properties(height=style.HEIGHT)


def scale_use(rows: Sequence[ScoreCount]) -> style.AnyChart:
    """How often each score of the scale is given to either model."""
    chart: alt.Chart = (
        alt.Chart(style.data(rows))
        .mark_bar()
        .encode(
            x=alt.X("score:O", title="score (decimals rounded down)", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("who:N", sort=list(WHO)),
            y=alt.Y("scores:Q", axis=style.counts("times given")),
            color=style.colours("who:N", WHO),
            tooltip=["score:O", "who:N", alt.Tooltip("scores:Q", format=",")],
        )
        .properties(height=style.HEIGHT)
    )
    return chart


def slots(rows: Sequence[SlotScore]) -> style.AnyChart:
    """Each model's mean score in each slot: a level line is an assessor that does not care."""
    points = [{"who": row.who, "slot": f"{row.slot} answer", "score": row.score} for row in rows]
    base = alt.Chart(style.data(points)).encode(
        x=alt.X(
            "slot:N",
            title=None,
            sort=["first answer", "second answer"],
            axis=alt.Axis(labelAngle=0),
            scale=alt.Scale(padding=0.6),
        ),
        y=alt.Y(
            "score:Q",
            title="mean score (1 to 10)",
            scale=alt.Scale(domain=[1, 10], nice=False),
            axis=alt.Axis(values=list(range(1, 11)), format="d"),
        ),
        color=style.colours("who:N", WHO),
        tooltip=["who:N", "slot:N", alt.Tooltip("score:Q", format=".2f")],
    )
    lines = base.mark_line(point=alt.OverlayMarkDef(size=80, filled=True), strokeWidth=2.5)
    higher = max(WHO, key=lambda who: sum(row.score for row in rows if row.who == who))
    labels = [
        base.transform_filter(alt.datum.who == who)
        .mark_text(dy=-13 if who == higher else 15, fontSize=12)
        .encode(text=alt.Text("score:Q", format=".2f"))
        for who in WHO
    ]
    return alt.layer(lines, *labels).properties(height=style.HEIGHT)
