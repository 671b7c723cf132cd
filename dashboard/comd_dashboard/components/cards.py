"""A grid of instructions with their pictures; a press on one opens it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from comd_dashboard import words
from comd_dashboard.components.loading import asset
from comd_dashboard.pictures import address
from comd_platform.plain import line
from comd_platform.reports.browsing import BrowseRow

_CARDS = st.components.v2.component("comd.cards", css=asset("cards.css"), js=asset("cards.js"))


def cards(rows: Sequence[BrowseRow], key: str, opened: Callable[[int], None]) -> None:
    """The rows in their order; `opened` hears the id of the one that is pressed."""

    def heard() -> None:
        pressed = st.session_state[key].get("open")
        if pressed is not None:
            opened(int(pressed))

    _CARDS(key=key, data={"cards": [_card(row) for row in rows]}, on_open_change=heard)


def _card(row: BrowseRow) -> dict[str, Any]:
    marks = [flag.replace("_", " ") for flag in row.flags]
    if row.verdict is not None:
        marks.append({"accept": "accepted", "reject": "rejected", "edit": "edited"}[row.verdict])
    if row.flagged:
        marks.append("flagged")
    scored = row.difficulty is not None
    return {
        "id": row.instruction_id,
        "picture": address(row.picture) if row.picture else None,
        "text": line(row.text, 240),
        "type": line(row.task_type, 40),
        "born": f"iteration {row.born_in}" if row.born_in else "",
        "band": row.band,
        "difficulty": f"{row.difficulty:.2f}" if scored else words.NONE,
        "teacher": f"{row.teacher_score:g}" if scored else words.NONE,
        "student": f"{row.student_score:g}" if scored else words.NONE,
        "marks": [line(mark, 40) for mark in marks],
    }
