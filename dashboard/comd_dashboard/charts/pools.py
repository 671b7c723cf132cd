"""How the pools grew, and what became of the sources."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from comd_dashboard.charts import style
from comd_platform.reports.pools import FunnelRow, PoolRow

NEW, OLD = "new: this iteration trains on it", "from earlier iterations"
STAGES = ("selected", "written", "accepted")


def pool_growth(rows: Sequence[PoolRow], wanted: int) -> style.AnyChart:
    """Stacked bars: the tuning pool on what the cache pool held before; the cache pool's size."""
    bars = [
        {"iteration": row.iteration, "part": part, "order": order, "instructions": size}
        for row in rows
        for order, (part, size) in enumerate(((OLD, row.cache - row.tuning), (NEW, row.tuning)))
    ]
    x = style.iterations(1, max(wanted, *(row.iteration for row in rows)))
    stack = (
        alt.Chart(style.data(bars))
        .mark_bar(size=36)
        .encode(
            x=x,
            y=alt.Y(
                "instructions:Q",
                title="instructions",
                axis=alt.Axis(tickCount=5, tickMinStep=1, format=",d"),
            ),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=[NEW, OLD], range=[style.NEW, style.OLD]),
                legend=style.legend(),
            ),
            order=alt.Order("order:Q"),
            tooltip=["iteration:O", "part:N", alt.Tooltip("instructions:Q", format=",")],
        )
    )
    total = (
        alt.Chart(style.data(rows))
        .mark_text(dy=-8, color=style.RULE, fontSize=12)
        .encode(x=x, y="cache:Q", text=alt.Text("cache:Q", format=","))
    )
    return alt.layer(stack, total).properties(
        height=style.HEIGHT,
        title=style.title(
            "The cache pool grows by what each iteration adds",
            "Whole bar: cache pool, all that is assessed. Coloured: tuning pool.",
        ),
    )


def funnel(rows: Sequence[FunnelRow], wanted: int) -> style.AnyChart:
    """Three bars an iteration: selected, written, accepted; the share that was accepted."""
    bars: list[dict[str, object]] = []
    shares: list[dict[str, object]] = []
    for number in sorted({row.iteration for row in rows}):
        of_it = [row for row in rows if row.iteration == number]
        sizes = (
            sum(row.selected for row in of_it),
            sum(row.generated for row in of_it),
            sum(row.accepted for row in of_it),
        )
        bands = {
            stage: ", ".join(f"{getattr(row, field):,} {row.band}" for row in of_it)
            for stage, field in zip(STAGES, ("selected", "generated", "accepted"), strict=True)
        }
        bars += [
            {"iteration": number, "stage": stage, "instructions": size, "bands": bands[stage]}
            for stage, size in zip(STAGES, sizes, strict=True)
        ]
        shares.append(
            {
                "iteration": number,
                "stage": STAGES[2],
                "instructions": sizes[2],
                "share": sizes[2] / sizes[0] if sizes[0] else 0,
            }
        )
    x = style.iterations(2, max(wanted, *(row.iteration for row in rows)))
    offset = alt.XOffset(
        "stage:N",
        sort=list(STAGES),
        bandPosition=0.5,
        scale=alt.Scale(type="band", domain=list(STAGES)),
    )
    drawn = (
        alt.Chart(style.data(bars))
        .mark_bar()
        .encode(
            x=x,
            xOffset=offset,
            y=alt.Y(
                "instructions:Q",
                title="instructions",
                axis=alt.Axis(tickCount=5, tickMinStep=1, format=",d"),
            ),
            color=alt.Color(
                "stage:N",
                scale=alt.Scale(domain=list(STAGES), range=[style.OLD, style.EASY, style.NEW]),
                legend=style.legend(),
            ),
            tooltip=[
                "iteration:O",
                "stage:N",
                alt.Tooltip("instructions:Q", format=","),
                "bands:N",
            ],
        )
    )
    labels = (
        alt.Chart(style.data(shares))
        .mark_text(dy=-8, color=style.RULE, fontSize=12)
        .encode(x=x, xOffset=offset, y="instructions:Q", text=alt.Text("share:Q", format=".0%"))
    )
    return alt.layer(drawn, labels).properties(
        height=style.HEIGHT,
        title=style.title(
            "How many sources became a new instruction",
            "The label is the accepted share of the selected sources.",
        ),
    )
