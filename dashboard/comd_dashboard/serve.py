"""What `streamlit run` serves: the pages and the pictures, on one port, behind one guard."""

from __future__ import annotations

from starlette.middleware import Middleware
from streamlit.starlette import App

from comd_dashboard.guard import ByPassword, ByProxy, Guard, OnThisMachine, Protection
from comd_dashboard.launch import APP, trusted_networks
from comd_dashboard.pictures import ROUTE
from comd_platform.settings import Settings, get_settings


def guard(settings: Settings) -> Guard:
    """The one that the settings ask for."""
    if settings.dashboard_user_header:
        return ByProxy(settings.dashboard_user_header, trusted_networks(settings))
    if settings.dashboard_password is not None:
        return ByPassword(settings.dashboard_password.get_secret_value())
    return OnThisMachine()


app = App(APP, routes=[ROUTE], middleware=[Middleware(Protection, guard=guard(get_settings()))])
