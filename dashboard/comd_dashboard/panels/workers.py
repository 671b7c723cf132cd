"""Who is at work."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from comd_dashboard import words
from comd_dashboard.data import read_now
from comd_dashboard.panels.panel import nothing_yet, panel
from comd_platform.reports.workers import list_workers

REFRESH_SECONDS = 5.0


@st.fragment(run_every=REFRESH_SECONDS)
def workers() -> None:
    """Workers heard of in the last hour; the lost ones at the end."""
    with panel():
        rows = read_now(list_workers)
        if not rows:
            nothing_yet(
                "Workers",
                "None has been heard of in the last hour. `comd iterate` starts its own; on other "
                "machines start them by hand.",
                "comd worker --roles teacher,student,assessor,augmentor,trainer",
            )
            return
        alive = sum(row.state != "lost" for row in rows)
        st.markdown(f"**Workers**: {alive} alive, {len(rows) - alive} lost")
        st.dataframe(
            pd.DataFrame(
                {
                    "state": [row.state for row in rows],
                    "worker": [row.worker for row in rows],
                    "host": [row.host for row in rows],
                    "device": [row.device for row in rows],
                    "roles": [", ".join(row.roles) for row in rows],
                    "working on": [row.working_on or "" for row in rows],
                    "last heard of": [f"{words.duration(row.heartbeat_age)} ago" for row in rows],
                    "up": [words.duration(row.up_seconds) for row in rows],
                    "pid": [str(row.pid) for row in rows],
                }
            ),
            hide_index=True,
            width="stretch",
        )
