"""Colours that read on light and dark ground, and apart for colour-blind eyes; common settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import altair as alt

AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart

STUDENT = "#2f80ed"
TEACHER = "#e69f00"
UNTUNED = "#8a94a6"
DIFFICULT = "#e4572e"
EASY = "#56a3d9"
NEW = "#0f9d8f"
OLD = "#a3b1c2"
RULE = "#8a94a6"
COMPARED = ("#cc79a7", "#009e73", "#d55e00", "#7f6bd6", "#b8860b", "#5f9ea0")

HEIGHT = 360


def data(rows: Sequence[Any]) -> alt.InlineData:
    """Frozen dataclasses as inline chart data (no temporary files, no row limit)."""
    return alt.InlineData(
        values=[asdict(row) if not isinstance(row, dict) else row for row in rows]
    )


def title(text: str, *subtitle: str) -> alt.TitleParams:
    """What the chart means, above what to know when reading it."""
    return alt.TitleParams(
        text,
        subtitle=list(subtitle),
        anchor="start",
        fontSize=15,
        subtitleFontSize=12,
        subtitleColor=RULE,
        subtitlePadding=4,
        offset=12,
    )


def iterations(first: int, last: int) -> alt.X:
    """The axis of iterations `first` to `last`: all that the run wants, so that it keeps still."""
    return alt.X(
        "iteration:O",
        title="iteration",
        scale=alt.Scale(domain=list(range(first, max(first, last) + 1))),
        axis=alt.Axis(labelAngle=0),
    )


def legend(title_: str | None = None) -> alt.Legend:
    """Above the plot, in one line."""
    return alt.Legend(title=title_, orient="top", direction="horizontal", labelLimit=240)
