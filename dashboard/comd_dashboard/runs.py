"""Which run is looked at, and which others beside it: in the sidebar and in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from comd_dashboard import address
from comd_dashboard.data import read
from comd_dashboard.plain import markdown
from comd_platform.reports.runs import RunRow, list_runs

RUN = "run"
COMPARED = "with"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The run of the page, and the runs it is compared with, in the order they were picked in."""

    run: RunRow
    compared: tuple[RunRow, ...]

    @property
    def runs(self) -> tuple[RunRow, ...]:
        """All of them; the leftmost is the baseline of a comparison."""
        return (self.run, *self.compared)


def choose() -> Chosen | None:
    """The pickers; None where there is no run. `?run=NAME&with=OTHER` says the same."""
    runs = {run.run: run for run in read(list_runs)}
    if not runs:
        return None
    asked = st.query_params.get(RUN)
    with st.sidebar:
        if asked is not None and asked not in runs:
            st.warning("The run that the address names does not exist.")
        run = runs[address.choice("Run", list(runs), RUN)]
        others = [name for name in runs if name != run.run]
        compared: list[str] = []
        if others:
            compared = address.choices(
                "Compare with",
                others,
                COMPARED,
                placeholder="No other run",
                help="The run above is the baseline; these stand beside it, in the order they are "
                "picked in.",
            )
        st.caption(_told(run))
    return Chosen(run, tuple(runs[name] for name in compared))


def _told(run: RunRow) -> str:
    facts: Sequence[str] = (
        f"Selection: {markdown(run.selection)}",
        f"Threshold τ: {run.threshold:g}",
        f"Branched off {markdown(run.parent)} after iteration {run.branched_after}"
        if run.parent
        else "",
        f"Created {run.created_at:%Y-%m-%d %H:%M %Z}",
    )
    return "  \n".join(fact for fact in facts if fact)
