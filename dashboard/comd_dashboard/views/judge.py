"""How far the assessor can be trusted."""

from __future__ import annotations

import streamlit as st

from comd_dashboard.panels import judge
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View


def show(chosen: Chosen) -> None:
    st.header("Judge", anchor=False)
    judge.judge(chosen.run)


VIEW = View("Judge", "judge", ":material/balance:", show)
