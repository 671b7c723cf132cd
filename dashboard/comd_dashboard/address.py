"""What a page shows, in its address: a link opens the same view.

Each function makes a widget and keeps one query parameter in step with it, both ways. The address
wins where somebody changed it (a link, the back button), else the widget does. What was chosen is
remembered for the session, so that a page that one returns to looks as it was left. A value that
the page does not offer, as an old link may hold, gives the default.

Streamlit's own `bind="query-params"` leaves defaults out of the address, which then opens another
view as soon as there is another run or iteration; and it forgets when the page is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import streamlit as st

T = TypeVar("T")
Texts = tuple[str, ...]
Range = tuple[float, float]

STALE_SECONDS = 2.0
"""How long after a change the browser may still send the address from before it."""


def choice(
    label: str,
    options: Sequence[T],
    name: str,
    *,
    default: T | None = None,
    shown: Callable[[T], str] = str,
    look: Literal["list", "segments"] = "list",
    follow: bool = False,
    label_visibility: Literal["visible", "hidden", "collapsed"] = "visible",
    help: str | None = None,  # noqa: A002 - Streamlit's name for it
) -> T:
    """One of `options`, the first where there is no default; always told in the address.

    follow: while the default is what is shown, a new default is shown in its stead.
    """
    first = options[0] if default is None else default
    by_text = {str(option): option for option in options}
    _bring(name, lambda texts: by_text[texts[0]], first, lambda v: v in options, follow=follow)
    if look == "segments":
        st.segmented_control(
            label,
            options,
            format_func=shown,
            key=name,
            required=True,
            label_visibility=label_visibility,
            help=help,
        )
    else:
        st.selectbox(
            label,
            options,
            format_func=shown,
            key=name,
            label_visibility=label_visibility,
            help=help,
        )
    chosen = cast("T", st.session_state[name])
    _tell(name, (str(chosen),), chosen, first)
    return chosen


def choices(
    label: str,
    options: Sequence[str],
    name: str,
    *,
    default: Sequence[str] = (),
    placeholder: str | None = None,
    help: str | None = None,  # noqa: A002
) -> list[str]:
    """Any number of `options`, in the order in which they were picked; told where there are any."""
    offered = set(options)
    _bring(
        name,
        lambda texts: [text for text in texts if text in offered],
        list(default),
        lambda value: offered.issuperset(value),
    )
    st.multiselect(label, options, key=name, placeholder=placeholder, help=help)
    chosen = cast("list[str]", st.session_state[name])
    _tell(name, tuple(chosen), chosen, list(default))
    return chosen


def text(label: str, name: str, *, placeholder: str = "", help: str | None = None) -> str:  # noqa: A002
    """A line of text, stripped; told where there is any."""
    _bring(name, lambda texts: texts[0], "", lambda _: True)
    st.text_input(label, key=name, placeholder=placeholder, help=help)
    typed = str(st.session_state[name] or "")
    _tell(name, (typed,) if typed else (), typed, "")
    return typed.strip()


def number(
    label: str,
    low: float,
    high: float,
    name: str,
    *,
    default: float,
    step: float,
    help: str | None = None,  # noqa: A002
) -> float:
    """A slider from `low` to `high`; told where it is not at its default, which it follows."""
    _bring(
        name,
        lambda texts: float(texts[0]),
        default,
        lambda value: low <= value <= high,
        follow=True,
    )
    st.slider(label, low, high, step=step, format="%g", key=name, help=help)
    chosen = float(st.session_state[name])
    _tell(name, () if chosen == default else (f"{chosen:g}",), chosen, default)
    return chosen


def span(
    label: str,
    low: float,
    high: float,
    name: str,
    *,
    step: float,
    help: str | None = None,  # noqa: A002
) -> Range:
    """A slider with two ends, told as `3-7.5` where it is not at its widest."""
    _bring(
        name,
        lambda texts: read_span(texts[0]),
        (low, high),
        lambda value: low <= value[0] <= value[1] <= high,
    )
    st.slider(label, low, high, step=step, format="%g", key=name, help=help)
    chosen = cast("Range", tuple(st.session_state[name]))
    _tell(name, () if chosen == (low, high) else (write_span(chosen),), chosen, (low, high))
    return chosen


def held(name: str, read: Callable[[str], T], default: T) -> T:
    """A part of the address without a widget: `?instruction=42`. Change it with `hold`."""
    key = f"held-{name}"
    _bring(name, lambda texts: read(texts[0]), default, lambda _: True, key=key)
    value = cast("T", st.session_state[key])
    _tell(name, () if value == default else (str(value),), value, default)
    return value


def hold(name: str, value: object) -> None:
    """Set what `held` gives from now on; call it in a callback, or rerun after it."""
    st.session_state[f"held-{name}"] = value


def read_span(text: str) -> Range:
    """`3-7.5` as its two ends. Raises ValueError."""
    low, high = text.split("-")
    return float(low), float(high)


def write_span(ends: Range) -> str:
    """The two ends as `read_span` reads them, to the last digit; neither is negative."""
    return "-".join(repr(float(end)).removesuffix(".0") for end in ends)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the address last said of one parameter, and what that meant."""

    texts: Texts
    before: Texts
    changed_at: float
    value: Any
    default: Any


def _bring(
    name: str,
    read: Callable[[Texts], T],
    default: T,
    offered: Callable[[T], bool],
    *,
    follow: bool = False,
    key: str | None = None,
) -> None:
    """Put what the widget is to show into the session's state, before the widget is made."""
    key = key or name
    kept: _Kept | None = st.session_state.get(f"kept-{name}")
    asked = tuple(st.query_params.get_all(name))
    value: T = default
    if key in st.session_state and (kept is None or st.session_state[key] != kept.value):
        value = st.session_state[key]  # just changed by the user
    elif asked and _is_news(asked, kept):
        try:
            value = read(asked)
        except (ValueError, KeyError):  # an old link, or a mistyped one
            value = default
    elif kept is not None and not (follow and kept.value == kept.default):
        value = kept.value
    st.session_state[key] = value if value is not None and offered(value) else default


def _is_news(asked: Texts, kept: _Kept | None) -> bool:
    if kept is None:
        return True
    if asked == kept.texts:
        return False
    late = time.monotonic() - kept.changed_at < STALE_SECONDS
    return not (late and asked == kept.before)


def _tell(name: str, texts: Texts, value: object, default: object) -> None:
    """Write the address, and remember what it says."""
    if tuple(st.query_params.get_all(name)) != texts:
        if texts:
            st.query_params[name] = list(texts) if len(texts) > 1 else texts[0]
        else:
            del st.query_params[name]
    kept: _Kept | None = st.session_state.get(f"kept-{name}")
    before, at = (kept.texts, kept.changed_at) if kept else ((), 0.0)
    if kept is None or kept.texts != texts:
        at = time.monotonic()
    else:
        before = kept.before
    st.session_state[f"kept-{name}"] = _Kept(texts, before, at, value, default)
