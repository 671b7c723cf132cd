"""Colours that read on light and dark ground, and apart for colour-blind eyes; common settings.

A chart has no title of its own: the panel around it says what it means, in text that wraps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import altair as alt

AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.HConcatChart

STUDENT = "#2f80ed"
TEACHER = "#e69f00"
UNTUNED = "#8a94a6"
DIFFICULT = "#e4572e"
EASY = "#56a3d9"
RANDOM = "#b08bd6"
NEW = "#0f9d8f"
OLD = "#a3b1c2"
RULE = "#8a94a6"
COMPARED = ("#cc79a7", "#009e73", "#d55e00", "#7f6bd6", "#b8860b", "#5f9ea0")

BANDS = {"difficult": DIFFICULT, "easy": EASY, "random": RANDOM}
STANDINGS = {
    "student behind": DIFFICULT,
    "both weak": "#a855a0",
    "student ahead": NEW,
    "easy": EASY,
}
OUTCOMES = {"win": NEW, "tie": EASY, "loss": DIFFICULT}
ITERATIONS = ("#8fb8de", "#5f8fd0", "#3d67b1", "#7f6bd6", "#a855a0", "#cc5a71", "#e4572e")
"""Iterations in order; of more than these the colours come again."""

PALE_TO_DEEP = ("#c9ece6", "#0b6b62")
"""A share or a score, least to most, in opaque cells."""

HEIGHT = 300
LEGEND_CHARACTERS = 40


def data(rows: Sequence[Any]) -> alt.InlineData:
    """Frozen dataclasses as inline chart data (no temporary files, no row limit)."""
    return alt.InlineData(
        values=[asdict(row) if not isinstance(row, dict) else row for row in rows]
    )


def iterations(first: int, last: int) -> alt.X:
    """The axis of iterations `first` to `last`: all that the run wants, so that it keeps still."""
    return alt.X(
        "iteration:O",
        title="iteration",
        scale=alt.Scale(domain=list(range(first, max(first, last) + 1))),
        axis=alt.Axis(labelAngle=0),
    )


def counts(title: str = "instructions", *, grid: bool = True) -> alt.Axis:
    """An axis of whole numbers; millions are told short."""
    return alt.Axis(
        title=title,
        grid=grid,
        tickCount=4,
        tickMinStep=1,
        labelExpr="datum.value >= 1e6 ? format(datum.value, '.2~s') : format(datum.value, ',d')",
    )


def colours(field: str, known: Mapping[str, str]) -> alt.Color:
    """A colour for each known value, with the legend above."""
    return alt.Color(
        field,
        scale=alt.Scale(domain=list(known), range=list(known.values())),
        legend=legend(known),
    )


def legend(labels: Iterable[object], title: str | None = None) -> alt.Legend:
    """Above the plot, in as few lines as a narrow chart has room for."""
    widths = [len(str(label)) + 4 for label in labels]
    columns = max(1, len(widths))
    while columns > 1 and columns * max(widths) > LEGEND_CHARACTERS < sum(widths):
        columns -= 1
    return alt.Legend(
        title=title, orient="top", direction="horizontal", labelLimit=240, columns=columns
    )
