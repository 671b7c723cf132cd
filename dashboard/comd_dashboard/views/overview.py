"""One run at a glance: where it stands, how its pools grow, whether the student gets better."""

from __future__ import annotations

import streamlit as st

from comd_dashboard.panels import difficulty, pools, progress, scores, workers
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View


def show(chosen: Chosen) -> None:
    run = chosen.run
    st.header(run.run, anchor=False)
    progress.progress(run)
    left, right = st.columns(2)
    with left:
        scores.held_out(run, chosen.compared)
    with right:
        scores.judged(run)
    left, right = st.columns(2)
    with left:
        pools.growth(run)
    with right:
        difficulty.difficulty(run)
    left, right = st.columns(2)
    with left:
        pools.funnel(run)
    with right:
        pools.rejected(run)
    workers.workers()


VIEW = View("Overview", "overview", ":material/monitoring:", show)
