"""The difficulty of the cache pool under one iteration's student."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from comd_dashboard.charts import style
from comd_platform.reports.difficulty import DifficultyBin

BANDS = ("difficult", "easy")


def histogram(rows: Sequence[DifficultyBin], threshold: float, iteration: int) -> style.AnyChart:
    """Stacked bars by band; the bin that the threshold cuts holds both colours."""
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
            y=alt.Y(
                "instructions:Q",
                stack="zero",
                title="instructions",
                axis=alt.Axis(tickCount=5, tickMinStep=1, format=",d"),
            ),
            color=alt.Color(
                "band:N",
                scale=alt.Scale(domain=list(BANDS), range=[style.DIFFICULT, style.EASY]),
                legend=style.legend(),
            ),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=".2f"),
                alt.Tooltip("high:Q", title="to", format=".2f"),
                "band:N",
                alt.Tooltip("instructions:Q", format=","),
            ],
        )
    )
    mark = style.data([{"threshold": threshold, "label": f"τ = {threshold:g}"}])
    rule = (
        alt.Chart(mark)
        .mark_rule(color=style.RULE, strokeDash=[5, 4], strokeWidth=2)
        .encode(x="threshold:Q")
    )
    label = (
        alt.Chart(mark)
        .mark_text(align="left", dx=6, baseline="top", color=style.RULE, fontSize=12)
        .encode(x="threshold:Q", y=alt.value(2), text="label:N")
    )
    return alt.layer(bars, rule, label).properties(
        height=style.HEIGHT,
        title=style.title(
            f"How difficult the cache pool is after iteration {iteration}",
            "Right of the line: difficult. A competitive run draws on these and on as many easy ones.",
        ),
    )
