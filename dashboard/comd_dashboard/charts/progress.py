"""Whether the student gets better: against its teacher, held out, by task type, and in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import altair as alt

from comd_dashboard import words
from comd_dashboard.charts import style
from comd_platform.plain import line
from comd_platform.reports.against_teacher import OutcomeRow, TypeRow
from comd_platform.reports.evaluations import ScoreRow
from comd_platform.reports.training import LossPoint

Curve = Literal["loss", "learning_rate", "tokens_per_second"]
CURVES: dict[Curve, tuple[str, str]] = {
    "loss": ("loss", ".3~f"),
    "learning_rate": ("learning rate", ".2~e"),
    "tokens_per_second": ("tokens a second", ".3~s"),
}
Measure = Literal["student_score", "teacher_score", "not_lost"]


def outcomes(rows: Sequence[OutcomeRow], wanted: int) -> style.AnyChart:
    """Shares of wins, ties and losses by iteration, with 95 % intervals."""
    points = [
        {
            "iteration": row.iteration,
            "outcome": row.outcome,
            "share": row.interval.score,
            "low": row.interval.low,
            "high": row.interval.high,
            "instructions": row.instructions,
            "told": f"{row.interval.low:.1%} to {row.interval.high:.1%}",
        }
        for row in rows
    ]
    x = style.iterations(1, max(wanted, *(row.iteration for row in rows)))
    colour = style.colours("outcome:N", style.OUTCOMES)
    base = alt.Chart(style.data(points))
    lines = base.mark_line(point=alt.OverlayMarkDef(size=70, filled=True), strokeWidth=2.5).encode(
        x=x,
        y=alt.Y(
            "share:Q",
            title="share of the scored instructions",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format=".0%", tickCount=5),
        ),
        color=colour,
        tooltip=[
            "iteration:O",
            alt.Tooltip("outcome:N", title="student's"),
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("told:N", title="95 %"),
            alt.Tooltip("instructions:Q", format=","),
        ],
    )
    bars = base.mark_rule(strokeWidth=1.5).encode(x=x, y="low:Q", y2="high:Q", color=colour)
    return alt.layer(bars, lines).properties(height=style.HEIGHT)


def by_task_type(rows: Sequence[TypeRow], measure: Measure, most: int = 15) -> style.AnyChart:
    """A matrix: task types down, the most frequent first; iterations across."""
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row.task_type] = max(sizes.get(row.task_type, 0), row.scored)
    kept = sorted(sizes, key=lambda name: (-sizes[name], name))[:most]
    share = measure == "not_lost"
    values = [
        {
            "iteration": row.iteration,
            "type": line(row.task_type, 40),
            "value": value,
            "label": f"{100 * value:.0f} %" if share else f"{value:.1f}",
            "scored": row.scored,
        }
        for row in rows
        for value in (getattr(row, measure),)
        if row.task_type in kept and value is not None
    ]
    base = alt.Chart(style.data(values)).encode(
        x=alt.X("iteration:O", title="iteration", axis=alt.Axis(labelAngle=0)),
        y=alt.Y(
            "type:N",
            title=None,
            sort=[line(name, 40) for name in kept],
            axis=alt.Axis(labelLimit=150),
        ),
        tooltip=[
            alt.Tooltip("type:N", title="task type"),
            "iteration:O",
            alt.Tooltip("label:N", title="value"),
            alt.Tooltip("scored:Q", format=","),
        ],
    )
    domain = [0, 1] if share else [1, 10]
    rects = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color(
            "value:Q", scale=alt.Scale(domain=domain, range=list(style.PALE_TO_DEEP)), legend=None
        )
    )
    # The cells are opaque, so what reads on them does not depend on the page being light or dark.
    label = base.mark_text(fontSize=13, fontWeight="bold").encode(
        text="label:N",
        color=alt.condition(
            alt.datum.value > sum(domain) / 2, alt.value("white"), alt.value("#0b2b28")
        ),
    )
    return alt.layer(rects, label).properties(height=max(120, 44 * len(kept) + 50))


def curve(points: Sequence[LossPoint], what: Curve) -> style.AnyChart:
    """One quantity of the training by optimizer step, a line an iteration."""
    title, form = CURVES[what]
    values = [
        {"iteration": point.iteration, "step": point.step, "value": value}
        for point in points
        for value in (getattr(point, what),)
        if value is not None
    ]
    numbers = sorted({point.iteration for point in points})
    chart: alt.Chart = (
        alt.Chart(style.data(values))
        .mark_line(strokeWidth=1.8)
        .encode(
            x=alt.X("step:Q", title="optimizer step", axis=alt.Axis(format=",d", tickCount=5)),
            y=alt.Y(
                "value:Q",
                title=title,
                axis=alt.Axis(format=form, tickCount=5),
                scale=alt.Scale(domainMin=0, nice=True),
            ),
            color=alt.Color(
                "iteration:O",
                scale=alt.Scale(
                    domain=numbers,
                    range=[
                        style.ITERATIONS[n % len(style.ITERATIONS)] for n in range(len(numbers))
                    ],
                ),
                legend=style.legend(numbers, "iteration"),
            ),
            tooltip=[
                "iteration:O",
                alt.Tooltip("step:Q", format=","),
                alt.Tooltip("value:Q", title=title, format=form),
            ],
        )
        .properties(height=240)
    )
    return chart


def held_out(
    run: str, scores: Mapping[str, Sequence[ScoreRow]], benchmark: str, wanted: int
) -> style.AnyChart:
    """Held-out score by iteration with 95 % intervals, for `run` and the others in `scores`.

    Teacher and untuned student of `run` are level lines.
    """
    of_benchmark = {
        name: [row for row in rows if row.benchmark == benchmark] for name, rows in scores.items()
    }
    names = [run, *(name for name in of_benchmark if name != run)]
    top = max([1.0, *(row.score for rows in of_benchmark.values() for row in rows)])
    points = [
        {
            "run": line(name, 60),
            "iteration": row.iteration,
            "score": row.score,
            "low": max(0.0, row.score - row.half_width),
            "high": min(top, row.score + row.half_width),
            "items": row.items,
            "told": f"{row.score:.1%} ± {row.half_width:.1%}",
        }
        for name in (*names[1:], run)  # what is drawn last lies on top
        for row in of_benchmark[name]
        if row.who == "student"
    ]
    last = max([wanted, *(int(str(point["iteration"])) for point in points)])
    x = style.iterations(1, last)
    y = alt.Y(
        "score:Q",
        title="held-out score",
        scale=alt.Scale(domain=[0, top]),
        axis=alt.Axis(format=".0%", tickCount=5),
    )
    colour = alt.Color(
        "run:N",
        scale=alt.Scale(
            domain=[line(name, 60) for name in names],
            range=[style.STUDENT, *style.COMPARED],
        ),
        legend=style.legend(line(name, 60) for name in names),
    )
    base = alt.Chart(style.data(points))
    lines = base.mark_line(point=alt.OverlayMarkDef(size=70, filled=True), strokeWidth=2.5).encode(
        x=x,
        y=y,
        color=colour,
        tooltip=[
            "run:N",
            "iteration:O",
            alt.Tooltip("told:N", title="score"),
            alt.Tooltip("items:Q", format=","),
        ],
    )
    bars = base.mark_rule(strokeWidth=1.5).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour)
    return alt.layer(*_levels(of_benchmark[run]), bars, lines).properties(height=style.HEIGHT)


def _levels(rows: Sequence[ScoreRow]) -> list[alt.Chart]:
    colours = {"teacher": style.TEACHER, "untuned student": style.UNTUNED}
    layers: list[alt.Chart] = []
    for row in rows:
        if row.who not in colours:
            continue
        mark = style.data([{"score": row.score, "label": f"{row.who} {words.percent(row.score)}"}])
        layers += [
            alt.Chart(mark)
            .mark_rule(color=colours[row.who], strokeDash=[6, 4], strokeWidth=2)
            .encode(y="score:Q"),
            alt.Chart(mark)
            .mark_text(
                align="right", dx=-4, baseline="bottom", dy=-3, color=colours[row.who], fontSize=12
            )
            .encode(y="score:Q", x=alt.value("width"), text="label:N"),
        ]
    return layers
