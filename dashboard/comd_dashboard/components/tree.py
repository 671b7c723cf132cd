"""Ancestors and descendants of an instruction as a tree; a press on one opens it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from comd_dashboard.components.loading import asset
from comd_platform.plain import line
from comd_platform.reports.lineages import Relative

_TREE = st.components.v2.component("comd.tree", css=asset("tree.css"), js=asset("tree.js"))


def tree(relatives: Sequence[Relative], key: str, opened: Callable[[int], None]) -> None:
    """The family, the one with depth 0 marked; `opened` hears the id of the one that is pressed."""

    def heard() -> None:
        pressed = st.session_state[key].get("open")
        if pressed is not None:
            opened(int(pressed))

    _TREE(key=key, data={"nodes": [_node(one) for one in relatives]}, on_open_change=heard)


def _node(one: Relative) -> dict[str, Any]:
    if one.source_band is not None:
        origin = f"from {'an' if one.source_band == 'easy' else 'a'} {one.source_band} one"
        if one.rouge_l is not None:
            origin += f", ROUGE-L {one.rouge_l:.2f}"
    else:
        origin = "corrected" if one.parent_id is not None else "seed"
    born = f"iteration {one.born_in}" if one.born_in else ""
    return {
        "id": one.instruction_id,
        "parent": one.parent_id,
        "here": one.depth == 0,
        "text": line(one.text, 160),
        "facts": " · ".join(part for part in (f"#{one.instruction_id}", born, origin) if part),
        "scores": [
            {
                "band": row.band,
                "text": f"{row.difficulty:.2f}" if row.difficulty is not None else "?",
                "title": line(_told(row.iteration, row.teacher_score, row.student_score)),
            }
            for row in one.assessed
        ],
    }


def _told(iteration: int, teacher: float | None, student: float | None) -> str:
    if teacher is None or student is None:
        return f"iteration {iteration}: unscored"
    return f"iteration {iteration}: teacher {teacher:g}, student {student:g}"
