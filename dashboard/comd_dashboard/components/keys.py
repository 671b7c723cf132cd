"""Keys that do what buttons do. Streamlit's own shortcuts keep R and C for themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from comd_dashboard.components.loading import asset

_KEYS = st.components.v2.component("comd.keys", js=asset("keys.js"))


def keys(names: Sequence[str], key: str, pressed: Callable[[str], None]) -> None:
    """Hear these keys wherever on the page, but where somebody types; `pressed` hears which one.

    Names are the browser's (`KeyboardEvent.key`): "a", "ArrowLeft". A key that is held down counts
    once.
    """

    def heard() -> None:
        name = st.session_state[key].get("pressed")
        if name in names:
            pressed(str(name))

    _KEYS(key=key, data={"names": list(names)}, height=1, on_pressed_change=heard)
