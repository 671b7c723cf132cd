"""How far the assessor can be trusted, and what it wrote."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from comd_dashboard import address, findings, links, words
from comd_dashboard.charts import judge as charts
from comd_dashboard.data import read
from comd_dashboard.panels.panel import draw, guarded, metric, metrics, nothing_yet, panel, subtitle
from comd_platform.plain import line, plain
from comd_platform.reports import judge as sums
from comd_platform.reports.judged import KINDS, JudgedPair, judge_replies, judged_pairs
from comd_platform.reports.orders import OrderCell, order_cells
from comd_platform.reports.runs import RunRow

SHOWN = 10


def judge(run: RunRow) -> None:
    """The whole page: an iteration's figures, four charts, and the replies themselves."""
    cells = read(order_cells, run.run_id)
    rows = sums.judge_rows(cells)
    if not rows:
        with panel():
            judged = run.selection in {"competitive", "regret"}
            why = (
                "No pair of answers has been judged yet."
                if judged
                else "This run does not choose by the assessor's scores, so nothing is judged."
            )
            nothing_yet("The assessor", why, f"comd iterate {run.run}" if judged else None)
        return
    iteration = address.choice(
        "After iteration",
        [row.iteration for row in rows],
        "iteration",
        default=rows[-1].iteration,
        look="segments",
        follow=True,
    )
    of_it = [cell for cell in cells if cell.iteration == iteration]
    row = next(row for row in rows if row.iteration == iteration)
    _figures(row)
    _charts(run, rows, row, of_it)
    with panel():
        _replies(run, iteration, _kinds(row))


def _figures(row: sums.JudgeRow) -> None:
    with metrics():
        metric("Pairs judged", words.count(row.pairs), "Each is shown in both orders.")
        metric("Orders disagree", words.percent(row.flip_share, 1), "They name different winners.")
        metric(
            "Agreement κ",
            words.NONE if row.kappa is None else f"{row.kappa:.2f}",
            "Of the two orders on who won (student, tie, teacher), with quadratic weights: 1 is "
            "perfect, 0 is chance.",
        )
        metric(
            "Correlation r",
            words.NONE if row.correlation is None else f"{row.correlation:.2f}",
            "Of the student's lead in points between the two orders.",
        )
        metric(
            "Bonus of standing first",
            words.points(row.first_bonus),
            "Points that an answer gets on average for standing first.",
        )
        metric("Replies unreadable", words.percent(row.unreadable_share, 1), "Each is asked again.")
        metric("One order only", words.count(row.one_order), "The other could not be read.")
        metric("Unscored", words.count(row.unscored), "Neither order could be read.")
        metric("Clamped", words.count(row.clamped), "A number outside 1 to 10 was moved into it.")


def _charts(
    run: RunRow, rows: Sequence[sums.JudgeRow], row: sums.JudgeRow, cells: Sequence[OrderCell]
) -> None:
    left, right = st.columns(2)
    with left, panel():
        draw(
            charts.leads(sums.lead_counts(cells)),
            findings.flips(row),
            "The student's lead in points in the two orders, the more pairs, the fuller; red: the "
            "winner changes with the order.",
        )
    with right, panel():
        slots = sums.slot_scores(cells)
        draw(
            charts.slots(slots),
            findings.slots(slots, row.first_bonus),
            f"In {words.count(row.first_preferred)} pairs both orders prefer the first answer, in "
            f"{words.count(row.second_preferred)} the second.",
        )
    left, right = st.columns(2)
    with left, panel():
        counts = sums.score_counts(cells)
        draw(
            charts.scale_use(counts),
            findings.scale_use(counts),
            "Where most scores are at the top, the scale no longer tells the two apart.",
        )
    with right, panel():
        draw(
            charts.over_iterations(rows, run.wanted),
            findings.judge_over_time(rows),
            "Shares of the pairs, of the replies, and of the scores.",
        )


def _kinds(row: sums.JudgeRow) -> dict[str, int | None]:
    """The kinds of pairs of which there are any; None where nobody has counted."""
    counted = {
        "orders disagree": row.flips,
        "first one preferred": row.first_preferred,
        "second one preferred": row.second_preferred,
        "one order only": row.one_order,
        "unreadable": row.unscored,
        "clamped": row.clamped,
    }
    return {kind: counted.get(kind) for kind in KINDS if counted.get(kind) != 0}


@st.fragment
def _replies(run: RunRow, iteration: int, kinds: dict[str, int | None]) -> None:
    with guarded():
        _paged(run, iteration, kinds)


def _paged(run: RunRow, iteration: int, kinds: dict[str, int | None]) -> None:
    subtitle("The replies themselves", "Choose a row to read what the assessor wrote.")
    kind = address.choice(
        "Pairs",
        list(kinds),
        "pairs",
        shown=lambda name: name if kinds[name] is None else f"{name}: {words.count(kinds[name])}",
    )
    key = f"judged-{run.run_id}-{iteration}-{kind}"
    pages: list[int] = st.session_state.setdefault(f"{key}-pages", [0])
    pairs = read(judged_pairs, run.run_id, iteration, kind, after=pages[-1], limit=SHOWN + 1)
    if not pairs:
        st.caption("There is none.")
        return
    shown = pairs[:SHOWN]
    chosen = _table(shown, f"{key}-{pages[-1]}")
    with st.container(horizontal=True):
        st.button(
            "Back", key=f"{key}-back", disabled=len(pages) == 1, on_click=_back, args=(pages,)
        )
        st.button(
            "More",
            key=f"{key}-more",
            disabled=len(pairs) <= SHOWN,
            on_click=pages.append,
            args=(shown[-1].instruction_id,),
        )
    for row in chosen:
        _whole(run, iteration, shown[row])


def _back(pages: list[int]) -> None:
    pages.pop()


def _table(pairs: Sequence[JudgedPair], key: str) -> list[int]:
    chosen = st.dataframe(
        pd.DataFrame(
            {
                "instruction": [line(pair.text) for pair in pairs],
                "task type": [line(pair.task_type) for pair in pairs],
                "teacher first": [_scores(pair.teacher_1, pair.student_1) for pair in pairs],
                "student first": [_scores(pair.teacher_2, pair.student_2) for pair in pairs],
                "flags": [", ".join(pair.flags).replace("_", " ") for pair in pairs],
            }
        ),
        hide_index=True,
        width="stretch",
        height=38 + 35 * len(pairs),
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        column_config={
            "instruction": st.column_config.TextColumn(width="large"),
            "teacher first": st.column_config.TextColumn(
                width=110, help="Teacher's score : student's score."
            ),
            "student first": st.column_config.TextColumn(
                width=110, help="Teacher's score : student's score."
            ),
        },
    )
    return list(chosen["selection"]["rows"])


def _scores(teacher: float | None, student: float | None) -> str:
    return words.NONE if teacher is None else f"{teacher:g} : {student:g}"


def _whole(run: RunRow, iteration: int, pair: JudgedPair) -> None:
    st.caption(f"Instruction {pair.instruction_id}")
    st.code(plain(pair.text), language=None, wrap_lines=True)
    for reply in read(judge_replies, run.run_id, iteration, pair.instruction_id):
        order = reply.position.replace("_", " ")
        attempt = f", attempt {reply.attempt}" if reply.attempt > 1 else ""
        st.caption(f"Reply with the {order}{attempt}: {reply.status}")
        st.code(plain(reply.raw), language=None, wrap_lines=True)
    links.browse(
        "Everything about it",
        links.browsing(run.run, iteration, instruction=pair.instruction_id),
    )
