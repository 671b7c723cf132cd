"""From one page to another, with what it shall show."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from comd_dashboard.address import Range, write_span

BROWSE = "browse"
_PAGES = "pages by path"


def register(pages: Mapping[str, StreamlitPage]) -> None:
    """Let `link` know the pages by their path; before any of them is drawn."""
    st.session_state[_PAGES] = dict(pages)


def link(path: str, label: str, icon: str, parameters: Mapping[str, str]) -> None:
    """A link within the app. `parameters` are those of the page's address, the run among them."""
    page = st.session_state[_PAGES][path]
    st.page_link(page, label=label, icon=icon, query_params=dict(parameters))


def browse(label: str, parameters: Mapping[str, str]) -> None:
    """A link to Browse with the filters of `browsing`."""
    link(BROWSE, label, ":material/grid_view:", parameters)


def browsing(
    run: str,
    iteration: int,
    *,
    task_type: str | None = None,
    band: str | None = None,
    status: str | None = None,
    teacher: Range | None = None,
    student: Range | None = None,
    instruction: int | None = None,
) -> dict[str, str]:
    """The address of Browse with these filters, told as `address` tells them.

    band: difficult or easy; teacher, student: their scores, both ends included; instruction: the one
    that is opened.
    """
    told = {"run": run, "iteration": str(iteration)}
    told |= {
        name: value
        for name, value in (("type", task_type), ("band", band), ("status", status))
        if value is not None
    }
    told |= {
        name: write_span(ends)
        for name, ends in (("teacher", teacher), ("student", student))
        if ends is not None
    }
    if instruction is not None:
        told["instruction"] = str(instruction)
    return told
