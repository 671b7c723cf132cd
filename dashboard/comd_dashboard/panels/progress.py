"""Where a run stands: the phase at work with rate and time left, refreshed by itself."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from comd_dashboard import words
from comd_dashboard.data import ReadError, read, read_now
from comd_dashboard.panels.panel import nothing_yet
from comd_platform.reports.progress import PhaseProgress, run_failures, run_progress
from comd_platform.reports.runs import RunRow, find_run

REFRESH_SECONDS = 2.0


def progress(run: RunRow) -> None:
    """The header of a run. When a phase ends the whole page is drawn anew."""
    seen = _stage(run)

    @st.fragment(run_every=REFRESH_SECONDS)
    def header() -> None:
        try:
            phases = read_now(run_progress, run.run_id)
            now = read_now(find_run, run.run)
        except ReadError as error:
            st.error(error.message)
            st.caption(error.hint or "")
            return
        if _position(phases) != seen:
            st.rerun()
        if not phases:
            nothing_yet(
                "No iteration has begun",
                "The run is configured and waits to be started.",
                f"comd iterate {run.run}",
            )
            return
        _numbers(now, phases)
        _table([phase for phase in phases if phase.iteration == phases[-1].iteration])
        _failures(run)

    header()


def _stage(run: RunRow) -> tuple[int, str, bool] | None:
    try:
        return _position(read_now(run_progress, run.run_id))
    except ReadError:
        return None  # the fragment tells


def _position(phases: list[PhaseProgress]) -> tuple[int, str, bool] | None:
    if not phases:
        return None
    last = phases[-1]
    return last.iteration, last.phase, last.finished_at is not None


def _numbers(run: RunRow, phases: list[PhaseProgress]) -> None:
    last = phases[-1]
    running = last.finished_at is None
    finished = run.phase == "done" and run.iterations >= run.wanted
    columns = st.columns(5)
    columns[0].metric("Iteration", f"{last.iteration} of {max(run.wanted, last.iteration)}")
    columns[1].metric("Phase", last.phase if running else ("done" if finished else "waiting"))
    of = f" of {words.count(last.total)}" if last.total is not None else ""
    columns[2].metric(f"{last.unit.capitalize()}{of}", words.count(last.done))
    columns[3].metric("Rate" if running else "Rate of last phase", words.rate(last.rate))
    if running:
        columns[4].metric("Left in this phase", words.duration(last.seconds_left))
    else:
        spent = sum(phase.seconds for phase in phases if phase.iteration == last.iteration)
        columns[4].metric("Time of iteration", words.duration(spent))
    if running and last.share is not None:
        st.progress(last.share, text=f"{last.phase}: {words.percent(last.share)}")


def _table(phases: list[PhaseProgress]) -> None:
    columns: dict[str, list[Any]] = {
        "phase": [phase.phase for phase in phases],
        "done": [None if p.share is None else 100 * p.share for p in phases],
        "records": [f"{words.count(p.done)} of {words.count(p.total)} {p.unit}" for p in phases],
        "rate": [words.rate(phase.rate) for phase in phases],
        "time": [words.duration(phase.seconds) for phase in phases],
    }
    if phases[-1].finished_at is None:
        # What is under way: of no interest, and in the way of the notes, once all is done.
        columns |= {
            "left": [words.duration(phase.seconds_left) for phase in phases],
            "waiting": [phase.items_pending for phase in phases],
            "at work": [phase.items_leased for phase in phases],
        }
    columns |= {
        "set aside": [phase.quarantined for phase in phases],
        "note": [phase.note or "" for phase in phases],
    }
    st.dataframe(
        pd.DataFrame(columns),
        hide_index=True,
        width="stretch",
        column_config={
            "phase": st.column_config.TextColumn(width="small"),
            "done": st.column_config.ProgressColumn(
                format="%.0f %%", min_value=0, max_value=100, width="small"
            ),
            "rate": st.column_config.TextColumn(width="small"),
            "time": st.column_config.TextColumn(width="small"),
            "left": st.column_config.TextColumn(width="small"),
            "note": st.column_config.TextColumn(width="large"),
            "waiting": st.column_config.NumberColumn(
                width="small", help="Work items that no worker has taken yet."
            ),
            "at work": st.column_config.NumberColumn(
                width="small", help="Work items in the hands of a worker."
            ),
            "set aside": st.column_config.NumberColumn(
                width="small", help="Records that failed too often; the run goes on without them."
            ),
        },
    )


def _failures(run: RunRow) -> None:
    failing = read(run_failures, run.run_id)
    if not failing:
        return
    records = sum(row.records for row in failing)
    with st.expander(f"Records that failed or are being tried again: {words.count(records)}"):
        st.dataframe(
            pd.DataFrame(
                [(r.iteration, r.phase, r.reason, r.state, r.records, r.example) for r in failing],
                columns=["iteration", "phase", "reason", "state", "records", "example"],
            ),
            hide_index=True,
            width="stretch",
        )
