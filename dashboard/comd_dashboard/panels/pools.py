"""How the pools grew, and by what."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from comd_dashboard.charts import pools as charts
from comd_dashboard.data import read
from comd_dashboard.panels.panel import draw, nothing_yet, panel
from comd_platform.reports.pools import augmentation_funnel, pool_growth, rejections
from comd_platform.reports.runs import RunRow


def growth(run: RunRow) -> None:
    """Tuning and cache pool by iteration."""
    with panel():
        rows = read(pool_growth, run.run_id)
        if not rows:
            nothing_yet("Pool growth", "No iteration has a pool yet.", f"comd iterate {run.run}")
            return
        draw(charts.pool_growth(rows, run.wanted), "Size of tuning and cache pool by iteration")


def funnel(run: RunRow) -> None:
    """Selected, written, accepted; why replies were rejected."""
    with panel():
        rows = read(augmentation_funnel, run.run_id)
        if not rows:
            why = (
                "This run never augments: every iteration trains on the seed pool."
                if run.selection == "none"
                else "New instructions are written from the second iteration on."
            )
            nothing_yet(
                "From sources to new instructions",
                why,
                None if run.selection == "none" else f"comd iterate {run.run} -n 2",
            )
            return
        draw(charts.funnel(rows, run.wanted), "Sources selected, instructions written and accepted")


def rejected(run: RunRow) -> None:
    """Why replies of the augmentor were rejected."""
    with panel():
        rows = read(rejections, run.run_id)
        if not rows:
            nothing_yet("Why replies of the augmentor were rejected", "None has been.")
            return
        st.markdown("**Why replies of the augmentor were rejected**")
        st.dataframe(
            pd.DataFrame(
                [(r.iteration, r.reason, r.replies) for r in rows],
                columns=["iteration", "reason", "replies"],
            ),
            hide_index=True,
            width="stretch",
        )
