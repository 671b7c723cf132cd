"""How the pools grow, and what becomes of the instructions chosen to grow them."""

from __future__ import annotations

import streamlit as st

from comd_dashboard.panels import pools
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View


def show(chosen: Chosen) -> None:
    st.header("Pools", anchor=False)
    pools.growth(chosen.run)
    left, right = st.columns(2)
    with left:
        pools.funnel(chosen.run)
    with right:
        pools.rejected(chosen.run)


VIEW = View("Pools", "pools", ":material/water_drop:", show)
