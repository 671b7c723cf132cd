"""What `streamlit run` runs: the pickers beside, the pages within."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from comd_dashboard import links
from comd_dashboard.data import ReadError, read_now
from comd_dashboard.panels.workers import workers
from comd_dashboard.runs import Chosen, choose
from comd_dashboard.views import VIEWS
from comd_dashboard.views.view import View
from comd_platform.errors import ComdError
from comd_platform.reports.runs import list_runs

RETRY_SECONDS = 5

# More of the screen for the page: Streamlit leaves a hand's breadth free around it. And what is drawn
# anew every two seconds does not fade while it waits for the database.
STYLE = """
[data-testid=stMainBlockContainer] { padding: 3.5rem 2.5rem 3rem; }
[data-testid=stMetricValue] { font-size: 1.7rem; }
.st-key-now [data-stale=true] { opacity: 1; transition: none; }
"""


def main() -> None:
    """Draw the page that the address names. What a user can act on is told, not raised."""
    st.set_page_config(page_title="comd", page_icon="🎓", layout="wide")
    st.html(f"<style>{STYLE}</style>")
    chosen: Chosen | None = None
    pages = {
        view.path: st.Page(
            _shown(view, lambda: chosen), title=view.title, icon=view.icon, url_path=view.path
        )
        for view in VIEWS
    }
    current = st.navigation(list(pages.values()))
    links.register(pages)
    try:
        chosen = choose()
        current.run()
    except ComdError as error:
        st.error(error.message)
        if error.hint:
            st.caption(error.hint)
        if isinstance(error, ReadError):
            _try_again()


@st.fragment(run_every=RETRY_SECONDS)
def _try_again() -> None:
    """Looks for the database now and then, and draws the page when it is there again."""
    try:
        read_now(list_runs)
    except ReadError:
        st.caption(f"Waiting for it: looking every {RETRY_SECONDS} seconds.")
    else:
        st.rerun()


def _shown(view: View, chosen: Callable[[], Chosen | None]) -> Callable[[], None]:
    def show() -> None:
        runs = chosen()
        if runs is None:
            _first_steps()
        else:
            view.show(runs)

    return show


def _first_steps() -> None:
    st.header("No run yet", anchor=False)
    st.text("Import instructions with their pictures, make a run, and start it:")
    st.code(
        "comd import llava FILE --images DIR\ncomd run create CONFIG.yaml\ncomd iterate RUN",
        language=None,
    )
    st.text("Or see a small one on real models in a few minutes:")
    st.code("make demo", language=None)
    workers()


main()
