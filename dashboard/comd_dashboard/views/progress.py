"""Whether the student gets better, and whether it has passed its teacher."""

from __future__ import annotations

import streamlit as st

from comd_dashboard.panels import scores
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View


def show(chosen: Chosen) -> None:
    st.header("Progress", anchor=False)
    scores.held_out(chosen.run, chosen.compared)


VIEW = View("Progress", "progress", ":material/trending_up:", show)
