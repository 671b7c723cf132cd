"""The pages, in the order of the menu. A page is one file here and one line below.

Not called `pages`: Streamlit would take a folder of that name beside `app.py` for its own.
"""

from __future__ import annotations

from comd_dashboard.views import browse, difficulty, judge, now, pools, progress, review
from comd_dashboard.views.view import View

VIEWS: tuple[View, ...] = (
    now.VIEW,
    pools.VIEW,
    difficulty.VIEW,
    judge.VIEW,
    progress.VIEW,
    browse.VIEW,
    review.VIEW,
)
"""The first one opens."""
