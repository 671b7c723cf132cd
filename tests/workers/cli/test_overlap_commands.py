"""`comd decontaminate` and `comd duplicates`: what is recorded, what is looked up now, wrong words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inline_workers import inline_workforce
from sqlalchemy import URL, Engine
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import transaction
from comd_platform.evaluation.items import import_benchmark
from comd_platform.exporters import Wanted, export_run
from comd_platform.loop.driver import Driver
from comd_platform.runs import create_run
from comd_platform.settings import Settings


def said(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "comd_workers", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


def as_json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(*arguments, "--json"))
    return found


@pytest.fixture
def leaking(engine: Engine, settings: Settings, tmp_path: Path) -> Engine:
    """The run `toy`, not begun, and the benchmark `leak` about one of its pool's pictures."""
    import_toy_world(engine, settings, tmp_path / "toy")
    item = {"id": "1", "image": "p3.png", "question": "Is it?", "answer": "yes"}
    path = tmp_path / "leak.jsonl"
    path.write_text(json.dumps(item))
    import_benchmark(engine, settings, path=path, images=tmp_path / "toy" / "images")
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=1, evaluation={"benchmarks": ["leak"]}))
    return engine


def test_what_is_looked_up_now_is_what_the_loop_then_records_and_the_export_leaves_out(
    leaking: Engine, database: URL, settings: Settings, tmp_path: Path
) -> None:
    before = as_json("decontaminate", "toy")
    assert (before["recorded"], before["checked"], before["benchmarks"]) == (False, 24, ["leak"])
    with inline_workforce(database, settings) as workforce:
        Driver(leaking, workforce, poll_seconds=0.01).run("toy", 1)
    after = as_json("decontaminate", "toy")
    assert after["recorded"]
    assert after["counts"] == before["counts"]
    assert [(each["kind"], each["verdict"], each["instructions"]) for each in after["counts"]] == [
        ("same_image", "excluded", 2)
    ]
    assert after["overlaps"] == before["overlaps"]
    assert "2" in said("decontaminate", "toy")
    elsewhere = said("decontaminate", "toy", "--benchmark", "toy-test")
    assert "nothing recorded" in elsewhere
    assert "no overlap" in elsewhere

    with transaction(leaking) as session:
        wanted = Wanted(scope="tuning")
        exported = export_run(session, settings, "toy", tmp_path / "out", wanted)
    assert exported.data.turns == 22
    told = (tmp_path / "out" / "data.json").read_text()
    kept_out = {each["text"] for each in after["overlaps"]}
    assert len(kept_out) == 2
    assert not any(question in told for question in kept_out)


def test_duplicates_across_pictures_at_two_thresholds(leaking: Engine) -> None:
    near, alike = (
        as_json("duplicates", "toy"),
        as_json("duplicates", "toy", "--threshold", "0.5"),
    )
    assert near["instructions"] == alike["instructions"] == 24
    assert alike["duplicated"] >= near["duplicated"]
    # "What is thing number N doing here?" and "Who painted picture N?" are two kinds of question.
    assert len(alike["clusters"]) == 2
    assert sorted(each["instructions"] for each in alike["clusters"]) == [12, 12]
    assert "24 instructions" in said("duplicates", "toy", "--limit", "0")


def test_wrong_words(leaking: Engine) -> None:
    assert "no benchmark named 'nope'" in said(
        "decontaminate", "toy", "--benchmark", "nope", code=1
    )
    assert "no run named 'nope'" in said("decontaminate", "nope", code=1)
    assert "neither a run nor a pool is named 'nope'" in said("duplicates", "nope", code=1)
    assert "has no iteration 9" in said("duplicates", "toy", "--iteration", "9", code=1)
    said("duplicates", "toy", "--threshold", "2", code=2)
