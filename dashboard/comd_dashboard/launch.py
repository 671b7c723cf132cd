"""Becoming the process that serves the dashboard."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import NoReturn

from comd_platform.errors import ComdError

APP = Path(__file__).parent / "app.py"
PORT = 8501
ADDRESS = "127.0.0.1"

# There is no login, so nothing listens beyond this machine unless asked to. Errors show their type
# in the browser and the whole story in the terminal.
_OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "type",
    "theme.light.primaryColor": "#0f766e",
    "theme.dark.primaryColor": "#2dd4bf",
}


class DashboardMissing(ComdError):
    """The packages of the extra `dashboard` are not installed."""


def command(port: int = PORT, address: str = ADDRESS) -> list[str]:
    """The command line that serves the dashboard; it reads COMD_* from its environment.

    Raises DashboardMissing.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise DashboardMissing(
            "the dashboard's packages are not installed",
            hint="Run: pip install 'comd[dashboard]'",
        )
    options = {**_OPTIONS, "server.port": str(port), "server.address": address}
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags]


def run(port: int = PORT, address: str = ADDRESS) -> NoReturn:
    """Become the process that serves, so that a signal to this one ends it. Raises DashboardMissing."""
    arguments = command(port, address)
    os.execv(arguments[0], arguments)  # noqa: S606 - our own command
