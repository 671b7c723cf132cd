"""What waits for a person, one after another, by keys; the one page that writes."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from comd_dashboard import address
from comd_dashboard.components.keys import keys
from comd_dashboard.data import read, read_now
from comd_dashboard.panels import instruction as parts
from comd_dashboard.panels.panel import nothing_yet, panel
from comd_dashboard.plain import markdown
from comd_dashboard.reviewing import decide, here, signed_in
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View
from comd_platform.errors import ComdError
from comd_platform.plain import line
from comd_platform.reports.pools import pool_growth
from comd_platform.reports.reviews import SLICES, Slice, Waiting, review_queue
from comd_platform.reports.story import Story, story
from comd_platform.review import Decision, last_of
from comd_platform.review.deciding import LONGEST_TEXT, Word

_SLICES: dict[Slice, str] = {
    "quarantined": "Quarantined",
    "inconsistent": "Judge inconsistent",
    "difficult": "Difficult",
    "flagged": "Flagged",
    "random": "Random sample",
}
_EMPTY: dict[Slice, str] = {
    "quarantined": "Nothing was set aside in this iteration.",
    "inconsistent": "The two orders never name different winners in this iteration.",
    "difficult": "Nothing is difficult in this iteration, or it is not assessed yet.",
    "flagged": "Nothing is flagged.",
    "random": "The cache pool is empty.",
}
_BUTTONS: tuple[tuple[str, str, str, str], ...] = (
    ("a", "accept", "Accept", ":material/check:"),
    ("r", "reject", "Reject", ":material/close:"),
    ("e", "edit", "Edit", ":material/edit:"),
    ("f", "flag", "Flag", ":material/flag:"),
    ("u", "undo", "Undo", ":material/undo:"),
    ("ArrowLeft", "back", "Back", ":material/arrow_back:"),
    ("ArrowRight", "on", "Skip", ":material/arrow_forward:"),
)
_SHOWN_KEYS = {"ArrowLeft": "\u2190", "ArrowRight": "\u2192"}


@dataclass
class _Queue:
    """A slice as it was read, and what its reader has decided since: {instruction: decision}."""

    asked: tuple[object, ...]
    waiting: list[Waiting]
    decided: dict[int, str]
    place: int = 0
    editing: bool = False
    told: str = ""
    trouble: tuple[str, str | None] | None = None
    history: list[int] = field(default_factory=list)

    @property
    def current(self) -> Waiting | None:
        return self.waiting[self.place] if 0 <= self.place < len(self.waiting) else None

    def next_open(self) -> None:
        """To the next one without a decision, beginning anew at the end; past it where all have one."""
        order = [*range(self.place + 1, len(self.waiting)), *range(self.place + 1)]
        still_open = (n for n in order if self.waiting[n].instruction_id not in self.decided)
        self.place = next(still_open, len(self.waiting))


def show(chosen: Chosen) -> None:
    run = chosen.run
    st.header("Review", anchor=False)
    iterations = [row.iteration for row in read(pool_growth, run.run_id)]
    if not iterations:
        with panel():
            nothing_yet("Review", "The run has not begun.", f"comd iterate {run.run}")
        return
    which = address.choice(
        "Slice",
        list(SLICES),
        "slice",
        default="inconsistent",
        look="segments",
        shown=lambda name: _SLICES[name],
    )
    left, middle, right = st.columns([1, 1, 2], vertical_alignment="bottom")
    with left:
        iteration = address.choice(
            "Iteration", iterations, "iteration", default=iterations[-1], follow=True
        )
    with middle:
        author = _author()
    seed = 0
    if which == "random":
        with right:
            seed = int(address.number("Which sample", 0, 20, "sample", default=0, step=1))
    if not author:
        with panel():
            nothing_yet("Who are you?", "Decisions carry a name: say yours above.")
        return
    _queue_of(run.run_id, iteration, which, author, seed)
    _reviewed(run.run_id, iteration, which, author)


def _author() -> str:
    """The name that the guard knows, or one that is said once."""
    known = signed_in()
    if known:
        st.text_input("Reviewer", value=line(known), disabled=True)
        return known
    if "reviewer" not in st.session_state:
        st.session_state["reviewer"] = st.session_state.get("reviewer-kept", here())
    name = st.text_input(
        "Reviewer", key="reviewer", max_chars=100, help="Decisions carry this name."
    )
    st.session_state["reviewer-kept"] = name
    return name.strip()


def _queue_of(run_id: int, iteration: int, which: Slice, author: str, seed: int) -> None:
    """Read the slice where another one is asked for; it stays as it is while one works on it."""
    asked = (run_id, iteration, which, author, seed)
    queue: _Queue | None = st.session_state.get("queue")
    if queue is None or queue.asked != asked:
        waiting = read_now(review_queue, run_id, iteration, which, author=author, seed=seed)
        decided = {each.instruction_id: each.decided for each in waiting if each.decided}
        queue = _Queue(asked, waiting, decided, place=-1)
        queue.next_open()
        st.session_state["queue"] = queue


@st.fragment
def _reviewed(run_id: int, iteration: int, which: Slice, author: str) -> None:
    queue: _Queue = st.session_state["queue"]
    if not queue.waiting:
        with panel():
            nothing_yet(_SLICES[which], _EMPTY[which])
        return
    done, whole = len(queue.decided), len(queue.waiting)
    st.progress(done / whole, f"{done} of {whole} decided by {markdown(author)}")
    if queue.trouble is not None:
        st.error(markdown(queue.trouble[0], 500))
        if queue.trouble[1]:
            st.caption(markdown(queue.trouble[1], 500))
    current = queue.current
    if current is None:
        with panel():
            nothing_yet("All of it is decided", "Take another slice, or go back with \u2190.")
        _bar(queue, author, None)
        return
    found = read_now(story, current.instruction_id, run_id)
    _bar(queue, author, found)
    if queue.editing:
        _editor(queue, author, found)
    _shown(found, current, iteration, queue)


def _bar(queue: _Queue, author: str, found: Story | None) -> None:
    """The buttons, and the keys that do the same."""

    def act(action: str) -> None:
        _act(queue, author, action)

    with st.container(horizontal=True, gap="small"):
        for key, action, label, icon in _BUTTONS:
            st.button(
                f"{label} `{_SHOWN_KEYS.get(key, key)}`",
                key=f"do-{action}",
                icon=icon,
                width="content",
                type="primary" if action == "accept" else "secondary",
                disabled=found is None and action not in {"undo", "back"},
                on_click=act,
                args=(action,),
            )
    by_key = {key: action for key, action, _, _ in _BUTTONS}
    keys(tuple(by_key), "keys", lambda name: act(by_key[name]))


def _act(queue: _Queue, author: str, action: str) -> None:
    current = queue.current
    queue.trouble = None
    if action == "back":
        queue.place, queue.editing = max(0, queue.place - 1), False
    elif action == "undo":
        _guarded(queue, lambda: _undo(queue, author))
    elif current is None:
        return
    elif action == "on":
        queue.place, queue.editing = queue.place + 1, False
    elif action == "edit":
        queue.editing = not queue.editing
    else:
        _guarded(queue, lambda: _decided(queue, author, _word(action)))


def _word(action: str) -> Word:
    words: dict[str, Word] = {"accept": "accept", "reject": "reject", "flag": "flag"}
    return words[action]


def _decided(queue: _Queue, author: str, word: Word, text: str | None = None) -> None:
    current = queue.current
    assert current is not None
    note = str(st.session_state.get(f"note-{current.instruction_id}", "")).strip() or None
    decide(Decision(current.instruction_id, word, author, text=text, note=note))
    queue.decided[current.instruction_id] = word
    queue.history.append(queue.place)
    queue.editing = False
    queue.next_open()


def _undo(queue: _Queue, author: str) -> None:
    """Take back this reviewer's last decision within the slice, and go to it."""
    place = queue.history.pop() if queue.history else queue.place
    if not 0 <= place < len(queue.waiting):
        return
    subject = queue.waiting[place].instruction_id
    last = read_now(last_of, author, subject)
    if last is None:
        return
    decide(Decision(subject, "undo", author, undoes_id=last.id))
    before = read_now(last_of, author, subject)
    if before is None:
        queue.decided.pop(subject, None)
    else:
        queue.decided[subject] = before.decision
    queue.place, queue.editing = place, False


def _guarded(queue: _Queue, act: object) -> None:
    assert callable(act)
    try:
        act()
    except ComdError as error:
        queue.trouble = (error.message, error.hint)


def _editor(queue: _Queue, author: str, found: Story) -> None:
    subject = found.facts.instruction_id

    def save() -> None:
        text = str(st.session_state[f"edit-{subject}"])
        _guarded(queue, lambda: _decided(queue, author, "edit", text))

    with st.form(f"editor-{subject}"):
        st.text_area(
            "The instruction as it should be",
            value=found.facts.text[:LONGEST_TEXT],
            key=f"edit-{subject}",
            max_chars=LONGEST_TEXT,
            height=120,
        )
        st.form_submit_button("Save the correction", on_click=save, type="primary")


def _shown(found: Story, current: Waiting, iteration: int, queue: _Queue) -> None:
    left, right = st.columns([2, 3])
    with left:
        parts.picture(found.facts, height=520)
        st.text_input(
            "Note (kept with the next decision)",
            key=f"note-{found.facts.instruction_id}",
            max_chars=1000,
        )
        if found.decisions:
            with panel():
                parts.decisions(found)
    with right:
        with panel():
            standing = queue.decided.get(current.instruction_id)
            mine = f" \u00b7 you decided: {standing}" if standing else ""
            st.caption(
                f"{queue.place + 1} of {len(queue.waiting)} \u00b7 in this slice since "
                f"{markdown(current.why, 300)}{mine}"
            )
            parts.text(
                f"Instruction {found.facts.instruction_id}, {markdown(found.facts.task_type)}",
                found.facts.text,
            )
            parts.why(found)
        rows = [row for row in found.itself.assessed if row.iteration <= iteration]
        with panel():
            parts.answers(rows[-1] if rows else None)
        with panel():
            parts.judged(found.replies, rows[-1].iteration if rows else None)


VIEW = View("Review", "review", ":material/rate_review:", show)
