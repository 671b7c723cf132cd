"""Is the student getting better: by the assessor's scores, and on held-out items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from comd_dashboard.charts import style
from comd_platform.reports.evaluations import ScoreRow


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
    points = [
        {
            "run": name,
            "iteration": row.iteration,
            "score": row.score,
            "low": max(0.0, row.score - row.half_width),
            "high": min(1.0, row.score + row.half_width),
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
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%", tickCount=5),
    )
    colour = alt.Color(
        "run:N",
        scale=alt.Scale(domain=names, range=[style.STUDENT, *style.COMPARED]),
        legend=style.legend(),
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
    return alt.layer(*_levels(of_benchmark[run]), bars, lines).properties(
        height=style.HEIGHT,
        title=style.title(
            f"Held-out score on {benchmark}",
            "Share of items right; the bars are ± 1.96 standard errors.",
        ),
    )


def _levels(rows: Sequence[ScoreRow]) -> list[alt.Chart]:
    colours = {"teacher": style.TEACHER, "untuned student": style.UNTUNED}
    layers: list[alt.Chart] = []
    for row in rows:
        if row.who not in colours:
            continue
        mark = style.data([{"score": row.score, "label": f"{row.who} {row.score:.0%}"}])
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
