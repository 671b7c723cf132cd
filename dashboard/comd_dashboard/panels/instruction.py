"""One instruction with everything that is known of it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from comd_dashboard import words
from comd_dashboard.components.tree import tree
from comd_dashboard.pictures import address, thumbnails
from comd_dashboard.plain import markdown
from comd_platform.plain import line, plain
from comd_platform.reports.lineages import AssessedRow
from comd_platform.reports.reasons import reasons
from comd_platform.reports.story import Facts, Reply, Story, Written

Opened = Callable[[int], None]

_ORDERS = {"teacher_first": "Teacher's answer first", "student_first": "Student's answer first"}
_TINY = 96


def instruction(story: Story, iteration: int, opened: Opened) -> None:
    """All of it, the answers and judgements as of `iteration`; `opened` is told of others pressed."""
    left, right = st.columns([2, 3])
    with left:
        picture(story.facts)
        with st.container(border=True):
            facts(story.facts)
        with st.container(border=True):
            st.markdown("**Ancestors and descendants**")
            tree(story.family, "tree", opened)
    standing = [row for row in story.itself.assessed if row.iteration <= iteration]
    with right:
        with st.container(border=True):
            text("Instruction", story.facts.text)
            why(story)
        with st.container(border=True):
            answers(standing[-1] if standing else None)
        with st.container(border=True):
            judged(story.replies, standing[-1].iteration if standing else None)
        with st.container(border=True):
            through_iterations(story.itself.assessed)
        with st.container(border=True):
            augmentations(story)
        if story.decisions:
            with st.container(border=True):
                decisions(story)


def picture(facts: Facts, height: int | None = None) -> None:
    """The picture, by its address; a press opens it in full."""
    with st.container(border=True):
        if facts.picture is None or not thumbnails().has(facts.picture):
            named = f" ({line(facts.picture_name)})" if facts.picture_name else ""
            gone = f"The picture is not in the image root{named}"
            st.text("No picture" if facts.picture_name is None else gone)
            return
        tiny = max(facts.width or 0, facts.height or 0) <= _TINY
        style = "max-width:100%;border-radius:6px;" + (
            "image-rendering:pixelated;width:min(100%,360px);" if tiny else ""
        )
        if height is not None:
            style += f"max-height:{height}px;object-fit:contain;"
        source = address(facts.picture, "large")
        said = html.escape(line(facts.picture_name or "picture"), quote=True)
        st.html(
            f'<a href="{source}" target="_blank" rel="noopener" style="display:block;text-align:center">'
            f'<img src="{source}" alt="{said}" style="{style}"></a>'
        )


def facts(facts: Facts) -> None:
    """Where the row is from, and its key."""
    size = f", {facts.width} \u00d7 {facts.height}" if facts.width else ""
    told = {
        "id": str(facts.instruction_id),
        "task type": line(facts.task_type),
        "pool": line(facts.pool or "grown by the loop"),
        "record": line(facts.source_record or words.NONE),
        "picture": line(facts.picture_name, 24) + size if facts.picture_name else words.NONE,
        "key": facts.key,
    }
    rows = "".join(
        f'<div style="flex:0 0 5.5rem;opacity:.7">{name}</div>'
        f'<div style="flex:1 1 calc(100% - 7rem);overflow-wrap:anywhere;unicode-bidi:isolate">'
        f"{html.escape(value)}</div>"
        for name, value in told.items()
    )
    st.html(
        f'<div style="display:flex;flex-wrap:wrap;gap:.35rem 1rem;font-size:.875rem">{rows}</div>'
    )


def text(label: str, content: str | None) -> None:
    """What somebody said, as text and nothing else."""
    st.caption(label)
    if not content:
        st.text("(none)" if content is None else "(empty)")
    else:
        st.code(plain(content), language=None, wrap_lines=True)


def why(story: Story) -> None:
    """The sentences of `reports.reasons`."""
    st.caption("Why it is here, and what was done with it")
    st.text("\n".join(line(sentence, 400) for sentence in reasons(story)))


def answers(row: AssessedRow | None) -> None:
    """Both answers side by side, with the scores that they were given."""
    if row is None:
        st.markdown("**Answers**")
        st.caption("Not assessed yet in this iteration.")
        return
    st.markdown(f"**Answers, as of iteration {row.iteration}: {band(row)}**")
    left, right = st.columns(2)
    with left:
        text(f"Teacher \u00b7 score {score(row.teacher_score)}", row.teacher_answer)
    with right:
        text(f"Student \u00b7 score {score(row.student_score)}", row.student_answer)


def judged(replies: Sequence[Reply], iteration: int | None) -> None:
    """What the assessor wrote in both orders, every attempt, raw."""
    st.markdown("**The assessor's replies, in both orders**")
    shown = [reply for reply in replies if reply.iteration == iteration]
    if not shown:
        st.caption("The assessor was not asked.")
        return
    for column, order in zip(st.columns(2), _ORDERS, strict=True):
        with column:
            for reply in (each for each in shown if each.position == order):
                attempt = f", attempt {reply.attempt}" if reply.attempt > 1 else ""
                read = (
                    "unreadable"
                    if reply.status == "unreadable"
                    else f"teacher {score(reply.teacher_score)}, student {score(reply.student_score)}"
                    + (" (clamped)" if reply.status == "clamped" else "")
                )
                text(f"{_ORDERS[order]}{attempt} \u00b7 {read}", reply.raw)


def through_iterations(rows: Sequence[AssessedRow]) -> None:
    """The scores of every iteration, and what the student answered."""
    st.markdown("**Scores through the iterations**")
    if not rows:
        st.caption("Not assessed yet.")
        return
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "iteration": row.iteration,
                    "teacher": row.teacher_score,
                    "student": row.student_score,
                    "S": row.difficulty,
                    "band": row.band,
                    "flags": ", ".join(row.flags),
                    "student's answer": line(row.student_answer or "\u2013", 200),
                }
                for row in rows
            ]
        ),
        hide_index=True,
        column_config={
            "S": st.column_config.NumberColumn(format="%.2f", help="Difficulty, eq. 6", width=45),
            "iteration": st.column_config.NumberColumn(width=60),
            "teacher": st.column_config.NumberColumn(format="%.1f", width=55),
            "student": st.column_config.NumberColumn(format="%.1f", width=55),
            "band": st.column_config.TextColumn(width=65),
            "flags": st.column_config.TextColumn(width=75),
        },
    )


def augmentations(story: Story) -> None:
    """The augmentor's reply that it came from, and those that were written from it."""
    st.markdown("**The augmentor's replies**")
    if story.written_by is None and not story.offspring:
        st.caption("None was written from it, and it was written from none.")
    if story.written_by is not None:
        _reply("The reply that this instruction was read from", story.written_by)
    for reply in story.offspring:
        result = f"became {reply.child_id}" if reply.child_id else str(reply.reason)
        _reply(f"Iteration {reply.iteration}, {reply.status}: {result}", reply)


def _reply(label: str, reply: Written) -> None:
    with st.expander(markdown(label)):
        text("The reply as it came", reply.raw)
        if reply.rouge_l is not None and reply.nearest is not None:
            told = f"Its nearest neighbour, {reply.nearest_id}, at ROUGE-L {reply.rouge_l:.2f}"
            text(told, reply.nearest)


def decisions(story: Story) -> None:
    """What people decided, the latest last; what was taken back is said to be."""
    st.markdown("**Decisions**")
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "decision": each.decision + (" (taken back)" if each.undone else ""),
                    "by": line(each.author),
                    "at": each.created_at,
                    "corrected": line(each.text or ""),
                    "note": line(each.note or ""),
                }
                for each in story.decisions
            ]
        ),
        hide_index=True,
    )


def band(row: AssessedRow) -> str:
    """`difficult, S 0.44`, or that it is unscored."""
    return row.band if row.difficulty is None else f"{row.band}, S {row.difficulty:.2f}"


def score(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:g}"
