"""What a page is, apart from how Streamlit draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from comd_dashboard.runs import Chosen


@dataclass(frozen=True, slots=True)
class View:
    """`show` draws it for the chosen runs; `path` is its part of the address."""

    title: str
    path: str
    icon: str
    show: Callable[[Chosen], None]
