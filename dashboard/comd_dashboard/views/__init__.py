"""The pages, in the order of the menu. A page is one file here and one line below.

Not called `pages`: Streamlit would take a folder of that name beside `app.py` for its own.
"""

from __future__ import annotations

from comd_dashboard.views import overview
from comd_dashboard.views.view import View

VIEWS: tuple[View, ...] = (overview.VIEW,)
"""The first one opens."""
