"""Where the run stands, this moment."""

from __future__ import annotations

import streamlit as st

from comd_dashboard.panels import progress, workers
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View


def show(chosen: Chosen) -> None:
    st.header(chosen.run.run, anchor=False)
    progress.progress(chosen.run)
    workers.workers()


VIEW = View("Now", "now", ":material/speed:", show)
