"""How difficult the cache pool is for an iteration's student."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from comd_dashboard import address
from comd_dashboard.charts.difficulty import histogram
from comd_dashboard.data import read
from comd_dashboard.panels.panel import draw, nothing_yet, panel
from comd_platform.reports.difficulty import bands_by_task_type, difficulty_histogram
from comd_platform.reports.runs import RunRow
from comd_platform.reports.summary import mean_scores


def difficulty(run: RunRow) -> None:
    """The histogram of an assessed iteration, the newest unless another is chosen."""
    with panel():
        assessed = [row.iteration for row in read(mean_scores, run.run_id)]
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
        rows = read(difficulty_histogram, run.run_id, chosen)
        if not rows:
            nothing_yet("Difficulty", "No reply of the assessor could be read; see judge_health.")
            return
        draw(
            histogram(rows, run.threshold, chosen),
            f"Difficulty of the cache pool after iteration {chosen}",
        )
        types = read(bands_by_task_type, run.run_id, chosen)
        with st.expander("By task type"):
            st.dataframe(
                pd.DataFrame(
                    [
                        (
                            t.task_type,
                            None if t.difficult_share is None else 100 * t.difficult_share,
                            t.difficult,
                            t.easy,
                            t.unscored,
                        )
                        for t in types
                    ],
                    columns=["task type", "difficult share", "difficult", "easy", "unscored"],
                ),
                hide_index=True,
                width="stretch",
                column_config={
                    "difficult share": st.column_config.ProgressColumn(
                        format="%.0f %%", min_value=0, max_value=100
                    )
                },
            )
