"""Who is at work."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from comd_dashboard import words
from comd_dashboard.data import read_now
from comd_dashboard.panels.panel import nothing_yet, panel, subtitle
from comd_platform.plain import line
from comd_platform.reports.workers import WorkerRow, list_workers

REFRESH_SECONDS = 5.0


@st.fragment(run_every=REFRESH_SECONDS)
def workers() -> None:
    """The table, refreshed by itself."""
    worker_table(read_now(list_workers))


def worker_table(rows: Sequence[WorkerRow]) -> None:
    """Workers heard of in the last hour; the lost ones at the end."""
    with panel():
        if not rows:
            nothing_yet(
                "No worker is alive",
                "None has been heard of in the last hour. `comd iterate` starts its own; on other "
                "machines start them by hand.",
                "comd worker --roles teacher,student,assessor,augmentor,trainer",
            )
            return
        alive = sum(row.state != "lost" for row in rows)
        lost = f", {len(rows) - alive} lost" if alive < len(rows) else ""
        subtitle(f"Workers: {alive} alive{lost}")
        columns: dict[str, list[str]] = {
            "state": [row.state for row in rows],
            "worker": [line(row.worker) for row in rows],
            "host": [line(row.host) for row in rows],
            "roles": [", ".join(row.roles) for row in rows],
            "device": [line(row.device) for row in rows],
            "memory": [words.size(row.memory_bytes) for row in rows],
        }
        if any(row.device_bytes for row in rows):
            columns["on device"] = [words.size(row.device_bytes) for row in rows]
        columns |= {
            "working on": [line(row.working_on or "") for row in rows],
            "silent for": [words.duration(row.heartbeat_age) for row in rows],
            "up": [words.duration(row.up_seconds) for row in rows],
        }
        st.dataframe(
            pd.DataFrame(columns),
            hide_index=True,
            width="stretch",
            column_config={
                "state": st.column_config.TextColumn(width=60),
                "memory": st.column_config.TextColumn(
                    width=80, help="Resident, of the worker and of what it has started."
                ),
                "on device": st.column_config.TextColumn(
                    width=80, help="Reserved by torch on this worker's GPUs."
                ),
                "silent for": st.column_config.TextColumn(
                    width=95, help="Since its last heartbeat; lost after 20 seconds."
                ),
                "up": st.column_config.TextColumn(width=95),
            },
        )
