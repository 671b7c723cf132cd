"""Becoming the process that serves the dashboard."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import sys
from pathlib import Path
from typing import NoReturn

from comd_platform.errors import ComdError
from comd_platform.settings import Settings, get_settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

APP = Path(__file__).parent / "app.py"
SERVE = Path(__file__).parent / "serve.py"
PORT = 8501
ADDRESS = "127.0.0.1"

# Errors show their type in the browser and the whole story in the terminal.
_OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "type",
    "client.showErrorLinks": "false",
    "theme.light.primaryColor": "#0f766e",
    "theme.dark.primaryColor": "#12a594",
}


class DashboardMissing(ComdError):
    """The packages of the extra `dashboard` are not installed."""


class NoNetwork(ComdError):
    """What should name a trusted proxy is no address."""


class Unprotected(ComdError):
    """The dashboard would be open to others, and ask nobody who they are."""


def command(port: int = PORT, address: str = ADDRESS) -> list[str]:
    """The command line that serves the dashboard; it reads COMD_* from its environment.

    Raises DashboardMissing, NoNetwork; Unprotected where it would listen beyond this machine with
    nobody to guard it.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise DashboardMissing(
            "the dashboard's packages are not installed",
            hint="Run: pip install 'comd[dashboard]'",
        )
    settings = get_settings()
    trusted_networks(settings)
    is_guarded = settings.dashboard_password is not None or settings.dashboard_user_header
    if not is_guarded and not is_this_machine(address):
        raise Unprotected(
            f"on {address} anybody who reaches this machine could read and review everything",
            hint="Give --password-file FILE, or --user-header NAME with a proxy that signs people in; "
            "or stay on 127.0.0.1 and use ssh -L.",
        )
    options = {**_OPTIONS, "server.port": str(port), "server.address": address}
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [sys.executable, "-m", "streamlit", "run", str(SERVE), *flags]


def run(port: int = PORT, address: str = ADDRESS) -> NoReturn:
    """Become the process that serves, so that a signal to this one ends it.

    Raises DashboardMissing, NoNetwork, Unprotected.
    """
    arguments = command(port, address)
    # Else uvicorn would believe anybody on this machine who says to speak for another address.
    os.environ["FORWARDED_ALLOW_IPS"] = ""
    os.execv(arguments[0], arguments)  # noqa: S606 - our own command


def trusted_networks(settings: Settings) -> tuple[Network, ...]:
    """The proxies that are believed. Raises NoNetwork."""
    found: list[Network] = []
    for each in settings.dashboard_trusted_proxy.split(","):
        try:
            found.append(ipaddress.ip_network(each.strip(), strict=False))
        except ValueError as error:
            raise NoNetwork(
                f"--trusted-proxy {each.strip()!r} is neither an address nor a network",
                hint="Write 10.0.0.7 or 10.0.0.0/8; in COMD_DASHBOARD_TRUSTED_PROXY with commas.",
            ) from error
    return tuple(found)


def is_this_machine(host: str) -> bool:
    """Whether a host name or an address to listen on is this machine's alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
