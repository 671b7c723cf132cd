"""`comd evaluate RUN` as a user types it: real models and workers, fine-tuning beside the chain."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from processes import comd, finish, scalar
from sqlalchemy import Engine

from comd_platform.settings import Settings
from comd_tinyworld.data import balanced_test, seed_set, write_all
from comd_workers.demo.arms import run_document

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


def evaluate(*arguments: str) -> str:
    return finish(comd("evaluate", "small", "--benchmark", "held-out", *arguments, **QUIET))


def as_json(*arguments: str) -> dict[str, Any]:
    """What stands on stdout alone: nothing but the object."""
    said = subprocess.run(
        [sys.executable, "-m", "comd_workers", "evaluate", "small", "--json", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def refused(*arguments: str) -> str:
    process = comd("evaluate", *arguments)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    return output


def models(found: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(one["who"], one["iteration"]) for one in found["standings"]]


QUIET = {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def small(engine: Engine, settings: Settings, tmp_path: Path) -> Engine:
    """The run `small` with one iteration done, a benchmark nobody has seen, and a pool with answers."""
    data = tmp_path / "tinyworld"
    write_all(data, seed=seed_set(60, 60), test=balanced_test("test-demo", each=1, look=0))
    seed, images = str(data / "seed.json"), ("--images", str(data / "images"))
    document = run_document("small", seed=1) | {"iterations": 2}
    document["method"]["max_new"] = 20
    document["training"] |= {"max_steps": 4}
    document["evaluation"] = {
        "max_new_tokens": 8,
        "fine_tuning": {"epochs": 6, "learning_rate": 2e-3},
    }
    config = tmp_path / "small.yaml"
    config.write_text(yaml.safe_dump(document))
    finish(comd("import", "llava", seed, *images, "--pool", "tinyworld"))
    finish(comd("import", "llava", seed, *images, "--pool", "answers", "--keep-answers"))
    test = str(data / "test.jsonl")
    finish(comd("import", "benchmark", test, *images, "--name", "held-out"))
    finish(comd("run", "create", str(config)))
    finish(comd("iterate", "small", "-n", "1", **QUIET))
    return engine


def test_a_run_is_evaluated_and_its_student_fine_tuned_beside_the_chain(small: Engine) -> None:
    _wrong_commands()
    evaluate("--iteration", "0")
    answered = "SELECT count(*) FROM evaluation_score"
    assert scalar(small, "SELECT count(*) FROM evaluation WHERE iteration_id IS NOT NULL") == 0
    references = scalar(small, answered)

    told = evaluate()
    assert scalar(small, answered) * 2 == references * 3  # the references were not asked again
    assert "held-out: the student has not passed its teacher (student 1: " in told
    for word in ("95 % interval", "unreadable", "on the same items", "McNemar"):
        assert word in told

    found = as_json("--benchmark", "held-out")
    assert models(found) == [("untuned student", None), ("teacher", None), ("student", 1)]
    for one in found["standings"]:
        interval = one["interval"]
        assert 0 <= interval["low"] <= interval["score"] <= interval["high"] <= 1
        assert one["columns"]["Avg"] == pytest.approx(100 * interval["score"], abs=0.005)
    against = {one["second"]: one["result"] for one in found["verdicts"]}
    assert against["teacher"]["p"] < 0.05
    assert against["teacher"]["losses"] > against["teacher"]["wins"]

    _fine_tuned(small)


def _wrong_commands() -> None:
    assert "no benchmark named 'held-in'" in refused("small", "--benchmark", "held-in")
    assert "no run named 'smal'" in refused("smal", "--benchmark", "held-out")
    named = ("small", "--benchmark", "held-out")
    assert "no student of iteration 2 yet" in refused(*named, "--iteration", "2")
    assert "no student to fine-tune" in refused(*named, "--iteration", "0", "--finetune", "answers")
    assert "belong to --from-file" in refused(*named, "--stored")
    assert "which benchmark?" in refused("small")


def _fine_tuned(small: Engine) -> None:
    """The side branch learns; the chain goes on from the weights that it left alone."""
    found = as_json("--benchmark", "held-out", "--finetune", "answers")
    assert ("fine-tuned student", 1) in models(found)
    side = "(SELECT id FROM training_run WHERE iteration_id IS NULL)"
    loss = f"SELECT avg(loss) FROM training_metric WHERE training_run_id = {side} AND step {{}}"
    last = scalar(small, f"SELECT max(step) FROM training_metric WHERE training_run_id = {side}")
    assert scalar(small, loss.format(f"> {last / 2}")) < scalar(
        small, loss.format(f"<= {last / 2}")
    )
    weights = (
        "SELECT checkpoint.weights_sha256 FROM iteration"
        " JOIN model ON model.id = iteration.student_model_id"
        " JOIN checkpoint ON checkpoint.id = model.checkpoint_id WHERE iteration.number = 1"
    )
    untouched = scalar(small, weights)
    finish(comd("iterate", "small", "-n", "1", **QUIET))
    assert scalar(small, weights) == untouched
    base = (
        "SELECT checkpoint.weights_sha256 FROM training_run"
        " JOIN iteration ON iteration.id = training_run.iteration_id"
        " JOIN model ON model.id = training_run.base_model_id"
        " JOIN checkpoint ON checkpoint.id = model.checkpoint_id WHERE iteration.number = 2"
    )
    assert scalar(small, base) == untouched
