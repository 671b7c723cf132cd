"""Whether the student gets better, and whether it has passed its teacher."""

from __future__ import annotations

import streamlit as st

from comd_dashboard.panels import progress
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View


def show(chosen: Chosen) -> None:
    st.header("Progress", anchor=False)
    run = chosen.run
    left, right = st.columns(2)
    with left:
        progress.held_out(run, chosen.compared)
    with right:
        progress.outcomes(run)
    progress.by_task_type(run)
    progress.training(run)
    progress.comparison(run, chosen.compared)


VIEW = View("Progress", "progress", ":material/trending_up:", show)
