"""Where the run stands, this moment."""

from __future__ import annotations

import streamlit as st

from comd_dashboard.panels.now import now
from comd_dashboard.plain import markdown
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View


def show(chosen: Chosen) -> None:
    st.header(markdown(chosen.run.run), anchor=False)
    with st.container(key="now"):
        now(chosen.run)


VIEW = View("Now", "now", ":material/speed:", show)
