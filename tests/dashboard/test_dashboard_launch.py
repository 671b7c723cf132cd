from __future__ import annotations

import importlib.util
import sys

import pytest
from streamlit import config

from comd_dashboard import launch


def test_the_command_serves_this_machine_only_and_tells_nobody() -> None:
    command = launch.command(8600, "127.0.0.1")
    assert command[:4] == [sys.executable, "-m", "streamlit", "run"]
    assert command[4] == str(launch.SERVE)
    assert launch.SERVE.is_file()
    assert launch.APP.is_file()
    flags = dict(zip(command[5::2], command[6::2], strict=True))
    assert flags["--server.port"] == "8600"
    assert flags["--server.address"] == "127.0.0.1"
    assert flags["--server.headless"] == "true"
    assert flags["--browser.gatherUsageStats"] == "false"


def test_streamlit_knows_every_option() -> None:
    known = config.get_config_options()
    for flag in launch.command()[5::2]:
        assert flag.removeprefix("--") in known


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(launch.DashboardMissing) as error:
        launch.command()
    assert error.value.hint == "Run: pip install 'comd[dashboard]'"
