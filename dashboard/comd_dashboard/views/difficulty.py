"""How difficult the cache pool is for a student, and what another threshold would choose."""

from __future__ import annotations

import streamlit as st

from comd_dashboard.panels import difficulty
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View


def show(chosen: Chosen) -> None:
    st.header("Difficulty", anchor=False)
    difficulty.difficulty(chosen.run)


VIEW = View("Difficulty", "difficulty", ":material/bar_chart:", show)
