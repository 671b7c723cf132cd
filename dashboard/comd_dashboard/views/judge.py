"""How far the assessor can be trusted."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from comd_dashboard.data import read
from comd_dashboard.panels.panel import nothing_yet, panel
from comd_dashboard.runs import Chosen
from comd_dashboard.views.view import View
from comd_platform.reports.judge import judge_rows
from comd_platform.reports.orders import order_cells


def show(chosen: Chosen) -> None:
    st.header("Judge", anchor=False)
    with panel():
        rows = judge_rows(read(order_cells, chosen.run.run_id))
        if not rows:
            nothing_yet("Judge", "Nothing has been judged yet.", f"comd iterate {chosen.run.run}")
            return
        st.dataframe(pd.DataFrame(rows), hide_index=True)


VIEW = View("Judge", "judge", ":material/balance:", show)
