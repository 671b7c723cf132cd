"""The bridge to lmms-eval, with a stand-in that takes its arguments and leaves its files."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from processes import comd, finish
from sqlalchemy import Engine
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import transaction
from comd_platform.runs import create_run
from comd_platform.settings import Settings
from comd_tinyworld import weights_path
from comd_workers.lmms_eval import VARIABLE, BridgeFailed, Measured, measure

STAND_IN = """
import json, pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if "--log_samples" in sys.argv:
    place = sys.argv.index("--log_samples")
    rest = sys.argv[1:place] + sys.argv[place + 1:]
    given = dict(zip(rest[::2], rest[1::2]))
if given["--tasks"] == "none":
    print("Tasks were not found: none")
    sys.exit(3)
folder = pathlib.Path(given["--output_path"]) / "model__checkpoint"
folder.mkdir(parents=True)
task = given["--tasks"]
results = {task: {"alias": task, "exact_match,none": 0.75, "exact_match_stderr,none": 0.02,
                  "broken,none": None, "anls,none": 0.5, "anls_stderr,none": "N/A"}}
if task != "silent":
    (folder / "20260101_000000_results.json").write_text(
        json.dumps({"results": results, "config": {"model_args": given["--model_args"]}}))
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "lmms_eval.py"
    script.write_text(STAND_IN)
    monkeypatch.setenv(VARIABLE, shlex.join([sys.executable, str(script)]))
    return tmp_path / "out"


def test_results_are_read_back(stand_in: Path) -> None:
    assert measure("/weights", "mme", stand_in, revision="abc") == [
        Measured("mme", "exact_match", 0.75, 0.02),
        Measured("mme", "anls", 0.5, None),
    ]
    told = next(stand_in.rglob("*results.json")).read_text()
    assert "pretrained=/weights,revision=abc" in told


def test_its_failures_are_told(stand_in: Path) -> None:
    with pytest.raises(BridgeFailed, match="status 3: Tasks were not found: none"):
        measure("/weights", "none", stand_in)
    with pytest.raises(BridgeFailed, match="left no results"):
        measure("/weights", "silent", stand_in)


def test_without_it_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BridgeFailed, match="is not installed") as error:
        measure("/weights", "mme", tmp_path)
    assert VARIABLE in (error.value.hint or "")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(BridgeFailed, match="cannot be started"):
        measure("/weights", "mme", tmp_path)


def test_the_command_hands_over_teacher_and_untuned_student_once(
    engine: Engine, settings: Settings, stand_in: Path, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=2)
    hf = {"engine": "hf", "device": "cpu"}
    roles = {
        role: {"model": hf | {"model": str(weights_path(role))}} for role in ("teacher", "student")
    }
    with transaction(engine) as session:
        create_run(session, toy_config(**roles))
        create_run(session, toy_config(name="scripted"))
    command = ("evaluate", "toy", "--benchmark", "lmms-eval:mme", "--json")
    told = finish(comd(*command))
    found = json.loads(told[told.index("[\n") :])
    assert {each["model"] for each in found} == {"teacher", "untuned student"}
    assert found[0]["result"]["value"] == 0.75
    results = sorted(settings.artifact_root.rglob("*results.json"))
    assert len(results) == 2
    before = [path.stat().st_mtime_ns for path in results]
    assert "mme" in finish(comd(*command[:-1]))
    assert [path.stat().st_mtime_ns for path in results] == before  # read back, not measured again
    wrong = comd("evaluate", "scripted", "--benchmark", "lmms-eval:mme")
    output, _ = wrong.communicate(timeout=60)
    assert wrong.returncode == 1
    assert "runs on the engine scripted" in output
