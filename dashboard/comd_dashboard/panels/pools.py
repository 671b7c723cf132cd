"""How the pools grew, and by what."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from comd_dashboard import address, findings, links
from comd_dashboard.charts import pools as charts
from comd_dashboard.data import read
from comd_dashboard.panels.panel import draw, nothing_yet, panel, subtitle
from comd_platform.plain import line, plain
from comd_platform.reports.pools import (
    RejectedReply,
    augmentation_funnel,
    pool_growth,
    rejected_replies,
    rejections,
)
from comd_platform.reports.runs import RunRow

EXAMPLES = 12


def growth(run: RunRow) -> None:
    """Tuning and cache pool by iteration."""
    with panel():
        rows = read(pool_growth, run.run_id)
        if not rows:
            nothing_yet("Pool growth", "No iteration has a pool yet.", f"comd iterate {run.run}")
            return
        draw(
            charts.pool_growth(rows, run.wanted),
            findings.growth(rows),
            "Whole bar: the cache pool, all that is assessed. Coloured: the tuning pool.",
        )


def grown(run: RunRow) -> list[int]:
    """The iterations that wrote a pool."""
    return sorted({row.iteration for row in read(augmentation_funnel, run.run_id)})


def no_funnel(run: RunRow) -> None:
    """Why there is none yet, and what makes one."""
    with panel():
        never = run.selection == "none"
        why = (
            "This run never augments: every iteration trains on the seed pool."
            if never
            else "New instructions are written from the second iteration on."
        )
        nothing_yet(
            "From sources to new instructions",
            why,
            None if never else f"comd iterate {run.run} -n 2",
        )


def funnel(run: RunRow, iteration: int) -> None:
    """Chosen, replied to, readable, new, trained on."""
    with panel():
        rows = [r for r in read(augmentation_funnel, run.run_id) if r.iteration == iteration]
        draw(
            charts.funnel(rows),
            findings.funnel(rows),
            f"Iteration {iteration}: what is left of the sources at each step, and of which band "
            "they were.",
        )


def rejected(run: RunRow, iteration: int) -> None:
    """Why replies of the augmentor were rejected, and examples of one reason."""
    rows = [row for row in read(rejections, run.run_id) if row.iteration == iteration]
    if not rows:
        with panel():
            nothing_yet("Why replies were rejected", "None has been.")
        return
    left, right = st.columns([2, 3])
    with right, panel():
        reply = _examples(run, iteration, [row.reason for row in rows])
    with left, panel():
        draw(
            charts.rejections(rows), findings.rejections(rows), "Of all replies, with their share."
        )
        if reply is not None:
            _whole(run, iteration, reply)


def _examples(run: RunRow, iteration: int, reasons: list[str]) -> RejectedReply | None:
    """A table of one reason's replies; the one that is chosen, at first the first."""
    subtitle("Rejected replies", "Choose a row to read it whole, beside this table.")
    reason = address.choice(
        "Reason", reasons, "reason", shown=lambda name: line(name.replace("_", " "), 60)
    )
    replies = read(rejected_replies, run.run_id, iteration, reason, limit=EXAMPLES)
    if not replies:
        return None
    near = {"ROUGE-L": [reply.rouge_l for reply in replies]} if replies[0].nearest else {}
    chosen = st.dataframe(
        pd.DataFrame(
            {
                "source": [line(reply.source) for reply in replies],
                "reply": [line(reply.text or reply.raw) for reply in replies],
            }
            | near
        ),
        hide_index=True,
        width="stretch",
        height=38 + 35 * len(replies),
        on_select="rerun",
        selection_mode="single-row",
        key=f"rejected-{run.run_id}-{iteration}-{reason}",
        column_config={
            "source": st.column_config.TextColumn(width=170),
            "reply": st.column_config.TextColumn(width=190),
            "ROUGE-L": st.column_config.NumberColumn(format="%.2f", width=75),
        },
    )
    return replies[(chosen["selection"]["rows"] or [0])[0]]


def _whole(run: RunRow, iteration: int, reply: RejectedReply) -> None:
    st.caption(f"Source, of the band {reply.band}")
    st.code(plain(reply.source), language=None, wrap_lines=True)
    st.caption("Reply, as it came")
    st.code(plain(reply.raw), language=None, wrap_lines=True)
    if reply.nearest is not None:
        st.caption(f"Nearest instruction of the same picture, at ROUGE-L {reply.rouge_l:.2f}")
        st.code(plain(reply.nearest), language=None, wrap_lines=True)
    links.browse(
        "Open the source",
        links.browsing(run.run, iteration - 1, instruction=reply.source_id),
    )
