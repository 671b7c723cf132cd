"""The command line as a user meets it: help, wrong words, errors that say what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import transaction
from comd_platform.errors import ComdError
from comd_platform.loop.work import Stopped
from comd_platform.runs import create_run
from comd_platform.settings import Settings
from comd_workers.cli.failing import BUG, FAILED, INTERRUPTED, explain
from comd_workers.cli.output import duration, percent, show


def comd(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comd_workers", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def refused(*arguments: str) -> str:
    done = comd(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    return done.stderr


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    done = comd("--help")
    assert done.returncode == 0
    for command in (
        "demo",
        "iterate",
        "run",
        "import",
        "status",
        "lineage",
        "db",
        "worker",
        "pretrain",
    ):
        assert command in done.stdout
    heavy = "import sys, comd_workers.cli; print([m for m in sys.modules if m in {names}])"
    names = {"torch", "transformers", "celery", "streamlit", "sqlalchemy", "PIL", "pyarrow"}
    loaded = subprocess.run(
        [sys.executable, "-c", heavy.format(names=names)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "[]"


def test_an_unknown_command_is_wrong_usage() -> None:
    done = comd("itterate")
    assert done.returncode == 2
    assert "itterate" in done.stderr


def test_errors_say_what_to_do_next(settings: Settings, tmp_path: Path) -> None:
    assert "no run named 'nope' (there are: none yet)" in refused("iterate", "nope")
    assert "comd run create CONFIG" in refused("status", "nope")
    assert "cannot read the config" in refused("run", "create", str(tmp_path / "none.yaml"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: x\npool: p\nmethod: {threshold: 2}\n")
    said = refused("run", "create", str(broken))
    assert "method.threshold" in said
    assert "comd config show" in said
    broken.write_text("name: x\npool: p\n")
    assert "no pool named 'p'" in refused("run", "create", str(broken))
    assert "unknown roles: judge" in refused("worker", "--roles", "judge")
    assert "no instruction" in refused("lineage", "12").lower()


def test_a_database_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMD_HOME", str(tmp_path))
    monkeypatch.setenv("COMD_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/none")
    said = refused("run", "list")
    assert "cannot reach the database" in said
    assert "secret" not in said
    monkeypatch.setenv("COMD_DATABASE_URL", "sqlite:///x")
    assert "comd needs PostgreSQL" in refused("run", "list")


def test_config_show_prints_the_papers_values() -> None:
    shown = comd("config", "show", "--set", "method.difficulty_threshold=0.5")
    assert shown.returncode == 0
    assert "difficulty_threshold: 0.5" in shown.stdout
    assert "learning_rate: 2.0e-05" in shown.stdout


def test_runs_and_status_as_json(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=2)
    with transaction(engine) as session:
        create_run(session, toy_config())
    listed: list[dict[str, Any]] = json.loads(comd("run", "list", "--json").stdout)
    assert [row["run"] for row in listed] == ["toy"]
    status = json.loads(comd("status", "toy", "--json").stdout)
    assert status == {
        "run": "toy",
        "driver": None,
        "wanted": 3,
        "phases": [],
        "workers": [],
        "iterations": [],
        "scores": [],
        "usage": [],
        "decontamination": [],
    }
    assert "nothing has begun yet: comd iterate toy" in comd("status", "toy").stdout
    assert comd("failures", "toy").stdout.strip() == "nothing has failed"


def test_a_mistake_of_ours_is_told_as_one_and_debug_shows_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A home that is a file: no check foresees it, so it stands for everything unforeseen.
    home = tmp_path / "home"
    home.write_text("not a folder")
    monkeypatch.setenv("COMD_HOME", str(home))
    monkeypatch.delenv("COMD_DATABASE_URL", raising=False)
    assert str(home) in refused("run", "list")
    shown = comd("--debug", "run", "list")
    assert shown.returncode == 1
    assert "Traceback" in shown.stderr


def test_exit_statuses() -> None:
    assert explain(ComdError("no"))[1] == FAILED
    assert explain(Stopped("stopped"))[1] == INTERRUPTED
    assert explain(FileNotFoundError(2, "No such file", "x"))[1] == FAILED
    error, status = explain(KeyError("x"))
    assert status == BUG
    assert "unexpected KeyError" in error.message
    assert "--debug" in str(error.hint)


def test_what_is_piped_is_plain_and_a_closed_pipe_is_no_error(settings: Settings) -> None:
    command = f"{sys.executable} -m comd_workers schema | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"FORCE_COLOR": ""},
    )
    assert done.stdout == "Views\n"
    assert "Traceback" not in done.stderr


def test_cells() -> None:
    assert [show(value) for value in (None, True, 12345, 0.12345, "x")] == [
        "-",
        "yes",
        "12,345",
        "0.123",
        "x",
    ]
    assert [duration(value) for value in (None, 41.6, 187, 3723)] == [
        "-",
        "42 s",
        "3:07",
        "1:02:03",
    ]
    assert percent(0.1234) == "12.3 %"


def test_the_caption_filter_from_the_command_line(tmp_path: Path) -> None:
    captions = Path(__file__).parents[3] / "examples" / "stage1" / "captions-12.tsv"
    said = refused(
        "pretrain", "filter", str(captions), "--out", str(tmp_path), "--model", "en_none"
    )
    assert "--model bundled" in said
    done = comd(
        "pretrain",
        "filter",
        str(captions),
        "--out",
        str(tmp_path),
        "--model",
        "bundled",
        "--cap",
        "4",
    )
    assert done.returncode == 0, done.stderr
    assert "phrases by bundled" in done.stdout
    assert "8 pairs selected (66.7 %)" in done.stdout
    assert len((tmp_path / "pairs.jsonl").read_text().splitlines()) == 8
