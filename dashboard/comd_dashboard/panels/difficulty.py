"""How difficult the cache pool is for an iteration's student."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from comd_dashboard import address
from comd_dashboard.charts.difficulty import histogram
from comd_dashboard.data import read
from comd_dashboard.panels.panel import draw, nothing_yet, panel
from comd_platform.reports import difficulty as sums
from comd_platform.reports.cells import score_cells
from comd_platform.reports.runs import RunRow


def difficulty(run: RunRow) -> None:
    """The histogram of an assessed iteration, the newest unless another is chosen."""
    with panel():
        cells = read(score_cells, run.run_id)
        assessed = sorted({cell.iteration for cell in cells})
        if not assessed:
            nothing_yet(
                "Difficulty",
                "Nothing has been assessed yet; difficulty comes of the assessor's scores.",
                f"comd iterate {run.run}" if run.selection == "competitive" else None,
            )
            return
        chosen = address.choice(
            "After iteration",
            assessed,
            "iteration",
            default=assessed[-1],
            look="segments",
            follow=True,
        )
        of_it = [cell for cell in cells if cell.iteration == chosen]
        draw(
            histogram(sums.histogram(of_it, run.threshold), run.threshold, chosen),
            f"Difficulty of the cache pool after iteration {chosen}",
        )
        with st.expander("By task type"):
            st.dataframe(pd.DataFrame(sums.bands_by_task_type(of_it, run.threshold)))
