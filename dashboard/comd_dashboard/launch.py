"""Starting the dashboard as a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

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


def run(port: int = PORT, address: str = ADDRESS) -> int:
    """Serve until interrupted; returns the exit status. Raises DashboardMissing."""
    arguments = command(port, address)
    try:
        return subprocess.run(arguments, check=False).returncode  # noqa: S603 - our own command
    except KeyboardInterrupt:
        return 0
