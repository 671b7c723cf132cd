"""Where a run stands, drawn anew every two seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from comd_dashboard import words
from comd_dashboard.data import ReadError, read_now
from comd_dashboard.panels.panel import metric, metrics, nothing_yet, panel, subtitle
from comd_dashboard.panels.workers import worker_table
from comd_dashboard.plain import markdown
from comd_platform.plain import line, plain
from comd_platform.reports.now import Now, run_now
from comd_platform.reports.progress import PhaseProgress
from comd_platform.reports.runs import RunRow
from comd_platform.reports.training import TrainingRow

REFRESH_SECONDS = 2.0

_LEFT_IN_RUN = (
    "An estimate: every coming iteration goes through the phases of the last complete one, each "
    "record takes as long as it last did, and the pools grow by as much as they last did."
)
_AT_END = "So far, and at the end if every record goes on asking for as much as it last did."


@st.fragment(run_every=REFRESH_SECONDS)
def now(run: RunRow) -> None:
    """The whole page: it changes in place, and nothing else on the screen is drawn again."""
    seen = f"now-{run.run_id}"
    try:
        found = read_now(run_now, run.run_id)
        assert found is not None  # runs are never deleted
        st.session_state[seen] = (found, datetime.now().astimezone())
    except ReadError as error:
        last = st.session_state.get(seen)
        waiting = "Waiting for the database: " if last else ""
        st.warning(f"{waiting}{error.message} {error.hint or ''}", icon=":material/cloud_off:")
        if last is None:
            return
        found, at = last
        st.caption(f"What follows is as of {at:%H:%M:%S}.")
    _show(found)


def _show(now: Now) -> None:
    current = now.current
    st.caption(_driven(now))
    if current is None:
        with panel():
            nothing_yet(
                "No iteration has begun",
                "The run is configured and waits to be started.",
                f"comd iterate {now.run.run}",
            )
        worker_table(now.workers)
        return
    _standing(now, current)
    _trouble(now)
    if now.training is not None and (current.phase == "tune" or now.training.state == "failed"):
        _training(now.training)
    with panel():
        subtitle(f"Phases of iteration {current.iteration}")
        _phases([phase for phase in now.phases if phase.iteration == current.iteration])
    worker_table(now.workers)
    _failures(now)


def _driven(now: Now) -> str:
    if now.driver:
        return f"Driven by {markdown(now.driver)}."
    if now.finished:
        return "Every iteration that was asked for is done."
    return f"Nobody drives it. Go on with `comd iterate {line(now.run.run)}`"


def _standing(now: Now, current: PhaseProgress) -> None:
    running = current.finished_at is None
    phase = current.phase if running else ("done" if now.finished else "between phases")
    of = f" of {words.count(current.total)}" if current.total is not None else ""
    spent = now.spent
    with metrics():
        metric("Iteration", f"{current.iteration} of {max(now.run.wanted, current.iteration)}")
        metric("Phase", phase)
        metric(f"{current.unit.capitalize()}{of}", words.count(current.done))
        metric("Rate" if running else "Rate of last phase", words.rate(current.rate))
        if not now.finished:
            metric("Left in this phase", words.duration(current.seconds_left))
            metric("Left in the run", _left(now), help_=_LEFT_IN_RUN + _lacking(now))
        else:
            metric(
                "Time of all phases",
                words.duration(sum(p.seconds for p in now.phases if not p.shared)),
                help_="Of the run's own iterations; the time between phases is not counted.",
            )
        if running:
            metric(
                "Work items",
                f"{current.items_leased} at work, {words.count(current.items_pending)} waiting",
            )
        if spent.tokens:
            metric("Tokens", _so_far(spent.tokens, spent.tokens_at_end, now), help_=_AT_END)
        if spent.cost is not None:
            metric("Cost", _so_far(spent.cost, spent.cost_at_end, now), help_=_AT_END)
    if running and current.share is not None:
        st.progress(current.share, text=f"{current.phase}: {words.percent(current.share)}")


def _left(now: Now) -> str:
    told = words.duration(now.time_left.seconds)
    return f"> {told}" if now.time_left.lacking and now.time_left.seconds else told


def _lacking(now: Now) -> str:
    lacking = now.time_left.lacking
    return f" Not known yet, and left out: {', '.join(lacking)}." if lacking else ""


def _so_far(value: float, at_end: float | None, now: Now) -> str:
    if now.finished or at_end is None or at_end <= value:
        return words.short(value)
    return f"{words.short(value)} of ~{words.short(at_end)}"


def _trouble(now: Now) -> None:
    """What was lost, tried again or given up: all zeros in a good run, and then one quiet line."""
    ledger = now.ledger
    retrying = sum(row.records for row in now.failures if row.state == "retrying")
    set_aside = sum(row.records for row in now.failures if row.state == "quarantined")
    if ledger.fatal:
        st.error("A phase cannot go on until somebody has mended this:")
        st.code(plain(ledger.error), language=None, wrap_lines=True)
    counts = (
        ("Leases run out", ledger.overdue, "Held by a worker that is silent; given away shortly."),
        ("Items taken over", ledger.taken_over, "Their worker died or was cut off."),
        ("Items tried again", ledger.tried_again, "They failed as a whole, and were put back."),
        ("Items split", ledger.split, "Halved, until the record that does it stands alone."),
        ("Records tried again", retrying, "Their reply could not be used; they get another."),
        ("Records set aside", set_aside, "They failed too often; the run goes on without them."),
    )
    if not any(number for _, number, _ in counts):
        st.caption("No lease ran out, nothing was tried again, nothing was set aside.")
        return
    with metrics():
        for label, number, help_ in counts:
            metric(label, words.count(number), help_=help_)


def _training(training: TrainingRow) -> None:
    with panel():
        subtitle(f"Training of iteration {training.iteration}")
        of = f" of {words.count(training.planned_steps)}" if training.planned_steps else ""
        with metrics():
            metric("State", training.state)
            metric(f"Steps{of}", words.count(training.steps))
            metric(
                "Saved at step",
                words.count(training.saved_step),
                help_="From there it goes on after a kill.",
            )
            loss = words.NONE if training.last_loss is None else f"{training.last_loss:.3f}"
            metric("Loss", loss, help_="Of the last step, over the tokens that carry loss.")
            if training.failure_kind:
                metric("Failed", training.failure_kind.replace("_", " "))
        if training.error:
            st.code(plain(training.error), language=None, wrap_lines=True)


def _phases(phases: list[PhaseProgress]) -> None:
    columns: dict[str, list[Any]] = {
        "phase": [phase.phase for phase in phases],
        "done": [None if p.share is None else 100 * p.share for p in phases],
        "records": [_records(phase) for phase in phases],
        "rate": [words.rate(phase.rate) for phase in phases],
        "time": [words.duration(phase.seconds) for phase in phases],
    }
    running = phases[-1].finished_at is None
    if running:
        # What is under way: of no interest, and in the way of the notes, once all is done.
        columns |= {
            "left": [words.duration(phase.seconds_left) for phase in phases],
        }
    if any(phase.quarantined for phase in phases):
        columns["set aside"] = [phase.quarantined for phase in phases]
    if any(phase.note for phase in phases):
        columns["note"] = [line(phase.note or "") for phase in phases]
    st.dataframe(
        pd.DataFrame(columns),
        hide_index=True,
        width="stretch",
        column_config={
            "phase": st.column_config.TextColumn(width=105),
            "done": st.column_config.ProgressColumn(
                format="%.0f %%", min_value=0, max_value=100, width=110
            ),
            "records": st.column_config.TextColumn(width=200 if running else 140),
            "rate": st.column_config.TextColumn(width=90),
            "time": st.column_config.TextColumn(width=95 if running else 85),
            "left": st.column_config.TextColumn(width=95),
            "note": st.column_config.TextColumn(width="medium"),
            "set aside": st.column_config.NumberColumn(
                width=90,
                format="localized",
                help="Records that failed too often; the run goes on without them.",
            ),
        },
    )


def _records(phase: PhaseProgress) -> str:
    if phase.done == phase.total:
        return f"{words.count(phase.done)} {phase.unit}"
    return f"{words.count(phase.done)} of {words.count(phase.total)} {phase.unit}"


def _failures(now: Now) -> None:
    if not now.failures:
        return
    with panel():
        subtitle("Records that failed, by phase and reason")
        st.dataframe(
            pd.DataFrame(
                [
                    (
                        row.iteration,
                        row.phase,
                        line(row.reason),
                        row.state.replace("quarantined", "set aside"),
                        row.records,
                        line(row.example),
                    )
                    for row in now.failures
                ],
                columns=["iteration", "phase", "reason", "state", "records", "example"],
            ),
            hide_index=True,
            width="stretch",
            column_config={
                "iteration": st.column_config.NumberColumn(width=80),
                "records": st.column_config.NumberColumn(width=90, format="localized"),
                "example": st.column_config.TextColumn(width="large"),
            },
        )
