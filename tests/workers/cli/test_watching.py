"""`comd status --watch` on a run that is finished, and the names that the shell offers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from inline_workers import inline_workforce
from sqlalchemy import URL, Engine
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import transaction
from comd_platform.loop.driver import Driver
from comd_platform.runs import branch_run, create_run, find_run
from comd_platform.settings import Settings, get_settings
from comd_workers.cli.completion import complete_run


def test_watching_ends_with_the_run(
    engine: Engine, database: URL, settings: Settings, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=2)
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=1))
    with inline_workforce(database, settings) as workforce:
        Driver(engine, workforce, poll_seconds=0.01).run("toy")
    with transaction(engine) as session:
        branch_run(session, find_run(session, "toy"), name="toy-2", at=1)

    def watched(*options: str) -> str:
        command = [sys.executable, "-m", "comd_workers", "status", "toy", "--watch", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout

    (line,) = watched("--json").splitlines()
    look = json.loads(line)
    assert [row["phase"] for row in look["iterations"]] == ["done"]
    assert look["wanted"] == 1
    assert "\x1b" not in watched()

    assert complete_run("") == ["toy-2", "toy"]
    assert complete_run("toy-") == ["toy-2"]
    assert complete_run("x") == []


def test_tab_starts_no_server_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMD_HOME", str(tmp_path))
    monkeypatch.delenv("COMD_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    assert complete_run("") == []
    assert not (tmp_path / "postgres").exists()
    monkeypatch.setenv("COMD_DATABASE_URL", "postgresql://me@127.0.0.1:1/none")
    get_settings.cache_clear()
    assert complete_run("") == []
    get_settings.cache_clear()
    assert capsys.readouterr() == ("", "")
