"""Which run is looked at, and which others beside it: in the sidebar and in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from comd_dashboard.data import read
from comd_platform.reports.runs import RunRow, list_runs

PARAMETER = "run"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The run of the page, and the runs it is compared with."""

    run: RunRow
    compared: tuple[RunRow, ...]


def choose() -> Chosen | None:
    """The pickers; None where there is no run. `?run=NAME` names it and follows the choice."""
    runs = read(list_runs)
    if not runs:
        return None
    names = [run.run for run in runs]
    asked = st.query_params.get(PARAMETER)
    if asked is not None and asked not in names:
        st.sidebar.warning("The run that the address names does not exist.")
    if "run" not in st.session_state or st.session_state["run"] not in names:
        st.session_state["run"] = asked if asked in names else names[0]
    name = st.sidebar.selectbox("Run", names, key="run")
    st.query_params[PARAMETER] = name
    run = runs[names.index(name)]
    others = [other for other in runs if other.run != name]
    compared: list[str] = []
    if others:
        compared = st.sidebar.multiselect(
            "Compare with",
            [other.run for other in others],
            default=[other.run for other in others if _related(run, other)][:5],
            key=f"compared-{name}",
        )
    st.sidebar.caption(_told(run))
    return Chosen(run, tuple(other for other in others if other.run in compared))


def _related(run: RunRow, other: RunRow) -> bool:
    """Whether they share iterations: one branched off the other, or both off a third."""
    return (
        other.parent == run.run
        or run.parent == other.run
        or (run.parent is not None and run.parent == other.parent)
    )


def _told(run: RunRow) -> str:
    facts: Sequence[str] = (
        f"Selection: {run.selection}",
        f"Threshold τ: {run.threshold:g}",
        f"Branched off {run.parent} after iteration {run.branched_after}" if run.parent else "",
        f"Created {run.created_at:%Y-%m-%d %H:%M %Z}",
    )
    return "  \n".join(fact for fact in facts if fact)
