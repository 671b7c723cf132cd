"""Every instruction of a cache pool: found by anything, opened with everything."""

from __future__ import annotations

from dataclasses import astuple

import streamlit as st

from comd_dashboard import address, words
from comd_dashboard.components.cards import cards
from comd_dashboard.data import read, read_now
from comd_dashboard.panels.instruction import instruction
from comd_dashboard.panels.panel import nothing_yet, panel
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View
from comd_platform.plain import line
from comd_platform.reports.browsing import (
    COUNTED,
    ORDERS,
    STATUSES,
    Filters,
    Order,
    browse,
    matching,
    task_types,
)
from comd_platform.reports.lineages import UnknownInstruction
from comd_platform.reports.pools import pool_growth
from comd_platform.reports.runs import RunRow
from comd_platform.reports.story import story

ANY = "any"
BANDS = ("difficult", "easy", "unscored")
A_PAGE = 24

_ORDERS: dict[Order, str] = {
    "oldest": "oldest first",
    "newest": "newest first",
    "difficult": "most difficult first",
    "behind": "student furthest behind first",
}
_STATUS = {
    "flip": "the two orders name different winners",
    "one_order": "judged in one order only",
    "clamped": "a score outside 1\u201310",
    "unreadable": "the assessor was unreadable",
    "no_answer": "an answer is missing",
    "not_judged": "not judged",
}
_STACK = "pages before"


def show(chosen: Chosen) -> None:
    run = chosen.run
    st.header("Browse", anchor=False)
    iterations = [row.iteration for row in read(pool_growth, run.run_id)]
    if not iterations:
        with panel():
            nothing_yet("Instructions", "The run has not begun.", f"comd iterate {run.run}")
        return
    filters, order = _filters(run, iterations)
    opened = address.held("instruction", int, 0)
    if opened:
        _one(run, opened, filters.iteration)
    else:
        _grid(run, filters, order)


def _filters(run: RunRow, iterations: list[int]) -> tuple[Filters, Order]:
    first, second, third, fourth = st.columns([2, 1.2, 1.2, 1.6])
    with first:
        found = address.text("Words", "words", placeholder="part of the instruction's text")
    with second:
        kind = address.choice("Task type", [ANY, *read(task_types, run.run_id)], "type", shown=line)
    with third:
        band = address.choice("Band", [ANY, *BANDS], "band")
    with fourth:
        status = address.choice(
            "Status", [ANY, *STATUSES], "status", shown=lambda name: _STATUS.get(name, name)
        )
    first, second, third, fourth, fifth = st.columns([1.2, 1.2, 1.6, 1.5, 1.5])
    with first:
        iteration = address.choice(
            "Assessed in", iterations, "iteration", default=iterations[-1], follow=True, shown=_nth
        )
    with second:
        born = address.choice("Born in", [ANY, *map(str, iterations)], "born", shown=_nth)
    with third:
        order = address.choice("Order", list(ORDERS), "order", shown=lambda name: _ORDERS[name])
    with fourth:
        teacher = address.span("Teacher's score", 1.0, 10.0, "teacher", step=0.5)
    with fifth:
        student = address.span("Student's score", 1.0, 10.0, "student", step=0.5)
    filters = Filters(
        iteration=iteration,
        task_type=None if kind == ANY else kind,
        band=None if band == ANY else band,
        status=None if status == ANY else status,
        teacher=None if teacher == (1.0, 10.0) else teacher,
        student=None if student == (1.0, 10.0) else student,
        words=found,
        born_in=None if born == ANY else int(born),
    )
    return filters, order


def _grid(run: RunRow, filters: Filters, order: Order) -> None:
    _first_page_where_changed(run, filters, order)
    after = address.held("after", _place, None)
    with panel():
        page = read(browse, run.run_id, filters, order=order, after=after, limit=A_PAGE)
        if not page.rows:
            nothing_yet("Nothing matches", "No instruction of this iteration's cache pool is so.")
            return
        found = read(matching, run.run_id, filters)
        left, middle, right = st.columns([5, 1.5, 1.5], vertical_alignment="center")
        left.markdown(f"**{_told(found)}**")
        stack: list[object] = st.session_state.setdefault(_STACK, [])
        middle.button(
            "Previous",
            icon=":material/chevron_left:",
            width="stretch",
            disabled=after is None,
            on_click=_back,
        )
        right.button(
            "Next",
            icon=":material/chevron_right:",
            width="stretch",
            disabled=page.after is None,
            on_click=_forward,
            args=(page.after, stack),
        )
        cards(page.rows, "cards", _open)


def _one(run: RunRow, opened: int, iteration: int) -> None:
    st.button("Back to the list", icon=":material/arrow_back:", on_click=_open, args=(0,))
    try:
        found = read_now(story, opened, run.run_id)
    except UnknownInstruction as error:
        st.warning(error.message)
        return
    instruction(found, iteration, _open)


def _nth(iteration: object) -> str:
    return ANY if iteration == ANY else f"iteration {iteration}"


def _told(found: int) -> str:
    if found > COUNTED:
        return f"More than {words.count(COUNTED)} instructions"
    return f"{words.count(found)} instruction{'' if found == 1 else 's'}"


def _open(which: int) -> None:
    address.hold("instruction", which)


def _forward(after: tuple[float, int], stack: list[object]) -> None:
    stack.append(st.session_state.get("held-after"))
    address.hold("after", _Place(after))


def _back() -> None:
    stack = st.session_state.get(_STACK)
    address.hold("after", stack.pop() if stack else None)


class _Place(tuple[float, int]):
    """Where a page goes on from, told in the address as `0.33_42`."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{self[0]!r}_{self[1]}"


def _place(text: str) -> _Place:
    place, _, last = text.partition("_")
    return _Place((float(place), int(last)))


def _first_page_where_changed(run: RunRow, filters: Filters, order: Order) -> None:
    asked = (run.run_id, *astuple(filters), order)
    before = st.session_state.get("browsed")
    if before is not None and before != asked:
        st.session_state[_STACK] = []
        address.hold("after", None)
    st.session_state["browsed"] = asked


VIEW = View("Browse", "browse", ":material/grid_view:", show)
