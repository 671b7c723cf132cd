"""How the pools grow, and what becomes of the instructions chosen to grow them."""

from __future__ import annotations

import streamlit as st

from comd_dashboard import address
from comd_dashboard.panels import pools
from comd_dashboard.panels.panel import guarded
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View
from comd_platform.reports.runs import RunRow


def show(chosen: Chosen) -> None:
    st.header("Pools", anchor=False)
    with guarded():
        _show(chosen.run)


def _show(run: RunRow) -> None:
    iterations = pools.grown(run)
    left, right = st.columns(2)
    with left:
        pools.growth(run)
    if not iterations:
        with right:
            pools.no_funnel(run)
        return
    with right:
        funnel = st.container(height="stretch")
    picked = address.choice(
        "Iteration that wrote the pool",
        iterations,
        "written",
        default=iterations[-1],
        look="segments",
        follow=True,
    )
    with funnel:
        pools.funnel(run, picked)
    pools.rejected(run, picked)


VIEW = View("Pools", "pools", ":material/water_drop:", show)
