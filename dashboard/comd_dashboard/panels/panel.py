"""A framed part of a page that fails by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from comd_dashboard.charts.style import AnyChart
from comd_dashboard.data import ReadError
from comd_dashboard.plain import markdown


@contextmanager
def panel() -> Iterator[None]:
    """A bordered box; where its reports cannot be read it says so, and the page goes on."""
    with st.container(border=True, height="stretch"), guarded():
        yield


@contextmanager
def guarded() -> Iterator[None]:
    """A report that cannot be read is told here; for what stands in no panel."""
    try:
        yield
    except ReadError as error:
        st.error(error.message)
        if error.hint:
            st.caption(error.hint)


@contextmanager
def metrics() -> Iterator[None]:
    """Numbers side by side, as many in a line as there is room for."""
    with st.container(horizontal=True, gap="medium"):
        yield


def metric(label: str, value: str, help_: str | None = None) -> None:
    """One of `metrics`, as wide as its number is."""
    st.metric(markdown(label), markdown(value), help=help_, width="content")


def subtitle(text: str, below: str = "") -> None:
    """What a table means, as the title of a chart says it; `below`: what to know when reading it."""
    st.markdown(f"**{markdown(text)}**")
    if below:
        st.caption(markdown(below, 400))


def draw(chart: AnyChart, meaning: str, below: str = "") -> None:
    """The chart over the panel's width, under what it means; `below`: what to know to read it."""
    subtitle(meaning, below)
    st.altair_chart(chart.properties(description=meaning), width="stretch")


def nothing_yet(title: str, why: str, command: str | None = None) -> None:
    """The empty state: what would be here, why it is not, what to run."""
    subtitle(title)
    st.caption(why)
    if command:
        st.code(command, language=None)
