"""How the pools grew, and what became of the sources."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from comd_dashboard import words
from comd_dashboard.charts import style
from comd_platform.plain import line
from comd_platform.reports.pools import FunnelRow, PoolRow, RejectionRow

NEW, OLD = "new in this iteration", "from before"
STAGES = {
    "selected": "chosen as a source",
    "replied": "replied to",
    "generated": "readable",
    "accepted": "new (ROUGE-L)",
    "trained": "trained on",
}
"""Field of a FunnelRow: how the stage is called."""


def pool_growth(rows: Sequence[PoolRow], wanted: int) -> style.AnyChart:
    """Stacked bars: the tuning pool on what the cache pool held before; both sizes as labels."""
    bars = [
        {"iteration": row.iteration, "part": part, "order": order, "instructions": size}
        for row in rows
        for order, (part, size) in enumerate(((OLD, row.cache - row.tuning), (NEW, row.tuning)))
    ]
    totals = [
        {"iteration": row.iteration, "cache": row.cache, "label": words.count(row.cache)}
        for row in rows
    ]
    x = style.iterations(1, max(wanted, *(row.iteration for row in rows)))
    stack = (
        alt.Chart(style.data(bars))
        .mark_bar(size=36)
        .encode(
            x=x,
            y=alt.Y("instructions:Q", axis=style.counts()),
            color=style.colours("part:N", {NEW: style.NEW, OLD: style.OLD}),
            order=alt.Order("order:Q"),
            tooltip=["iteration:O", "part:N", alt.Tooltip("instructions:Q", format=",")],
        )
    )
    total = (
        alt.Chart(style.data(totals))
        .mark_text(dy=-8, color=style.RULE, fontSize=12)
        .encode(x=x, y="cache:Q", text="label:N")
    )
    return alt.layer(stack, total).properties(height=style.HEIGHT)


def funnel(rows: Sequence[FunnelRow]) -> style.AnyChart:
    """One iteration's stages, top to bottom, by band; the share of the sources that is left."""
    total = sum(row.selected for row in rows)
    bars = [
        {
            "stage": name,
            "band": row.band,
            "sources": getattr(row, field),
            "share": getattr(row, field) / row.selected if row.selected else 0,
        }
        for field, name in STAGES.items()
        for row in rows
    ]
    labels = [
        {"stage": name, "sources": left, "label": _left(left, total)}
        for field, name in STAGES.items()
        for left in (sum(getattr(row, field) for row in rows),)
    ]
    y = alt.Y("stage:N", sort=list(STAGES.values()), title=None, axis=alt.Axis(labelLimit=150))
    drawn = (
        alt.Chart(style.data(bars))
        .mark_bar()
        .encode(
            y=y,
            x=alt.X(
                "sources:Q",
                axis=style.counts("sources", grid=False),
                scale=alt.Scale(domain=[0, max(1, total) * 1.6], nice=False),
            ),
            color=style.colours(
                "band:N", {b: style.BANDS[b] for b in style.BANDS if _has(rows, b)}
            ),
            tooltip=[
                "stage:N",
                "band:N",
                alt.Tooltip("sources:Q", format=","),
                alt.Tooltip("share:Q", title="of the band's sources", format=".1%"),
            ],
        )
    )
    told = (
        alt.Chart(style.data(labels))
        .mark_text(align="left", dx=6, color=style.RULE, fontSize=12)
        .encode(y=y, x="sources:Q", text="label:N")
    )
    return alt.layer(drawn, told).properties(height=style.HEIGHT)


def rejections(rows: Sequence[RejectionRow]) -> style.AnyChart:
    """One iteration's reasons, the most frequent first, with their share of all replies."""
    bars = [
        {
            "reason": line(row.reason.replace("_", " "), 40),
            "replies": row.replies,
            "share": row.share,
            "label": f"{words.count(row.replies)} · {words.percent(row.share, 1)}",
        }
        for row in rows
    ]
    y = alt.Y("reason:N", sort="-x", title=None, axis=alt.Axis(labelLimit=150))
    most = max(row.replies for row in rows)
    base = alt.Chart(style.data(bars)).encode(
        y=y,
        x=alt.X(
            "replies:Q",
            axis=style.counts("replies", grid=False),
            scale=alt.Scale(domain=[0, most * 1.75], nice=False),
        ),
        tooltip=[
            "reason:N",
            alt.Tooltip("replies:Q", format=","),
            alt.Tooltip("share:Q", title="of all replies", format=".1%"),
        ],
    )
    drawn = base.mark_bar(color=style.DIFFICULT)
    told = base.mark_text(align="left", dx=6, color=style.RULE, fontSize=12).encode(text="label:N")
    return alt.layer(drawn, told).properties(height=max(120, 46 * len(bars) + 50))


def _left(sources: int, total: int) -> str:
    return f"{words.count(sources)} · {words.percent(sources / total if total else None)}"


def _has(rows: Sequence[FunnelRow], band: str) -> bool:
    return any(row.band == band for row in rows)
