"""Every example passes `comd config check`, and says about its model family what is so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine

from comd_platform.config.load import load_config, read_document
from comd_platform.config.stage1 import load_stage1
from comd_platform.config.training import Hyperparameters
from comd_platform.settings import Settings
from comd_tinyworld import weights_path
from comd_workers.checks.configs import check_config
from comd_workers.checks.finding import failed
from comd_workers.demo.arms import run_document

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
FOLDER = EXAMPLES[0].parent


def comd(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comd_workers", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_examples_pass_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {path.stem for path in EXAMPLES}
    assert names >= {"paper", "paper-stage1", "qwen-vl", "smolvlm", "one-gpu-24gb", "images-only"}
    for path in EXAMPLES:
        assert not [each for each in check_config(path) if each.level == "error"], path
    # The paper's run begins with what stage 1 leaves beside it; that it is not there yet is said.
    (told,) = [each for each in check_config(FOLDER / "paper.yaml") if each.what == "student.model"]
    assert told.level == "note"
    assert "not there yet" in told.said


def test_the_paper_s_values() -> None:
    """METHOD's values: section 3.2, 3.3 and 4.1.3."""
    run = load_config(FOLDER / "paper.yaml")
    assert run.iterations == 4
    assert {
        run.role(role).sampling.temperature for role in ("teacher", "assessor", "augmentor")
    } == {0.5}
    assert run.student.sampling.temperature == 0.0
    assert run.engine("assessor") == run.engine("augmentor") == run.engine("teacher")
    assert (run.method.difficulty_threshold, run.method.diversity_threshold) == (0.33, 0.7)
    assert (run.method.selection, run.pools.mode) == ("competitive", "replace")
    tuning = run.training
    assert (tuning.learning_rate, tuning.warmup_ratio, tuning.batch_size) == (2e-5, 0.03, 16)
    assert (tuning.epochs, tuning.lr_scheduler, tuning.weight_decay) == (1, "cosine", 0.0)
    assert tuning.freeze == ("vision_tower",)
    stage1 = load_stage1(FOLDER / "paper-stage1.yaml")
    assert (stage1.filter.minimum, stage1.filter.cap) == (3, 100)
    assert (stage1.training.learning_rate, stage1.training.batch_size) == (2e-3, 16)
    assert stage1.training.warmup_ratio == 0.03
    assert stage1.training.train_only == ("multi_modal_projector",)


@pytest.mark.parametrize("name", ["paper.yaml", "paper-stage1.yaml"])
def test_every_hyperparameter_names_its_section(name: str) -> None:
    """Or says that it is not in the paper; the machine's own settings need neither."""
    machine = {"device", "micro_batch_size", "zero_stage", "gradient_checkpointing", "processes"}
    for line in (FOLDER / name).read_text().splitlines():
        found = re.match(r"\s*(\w+): *(\S.*)", line)
        if found and found[1] not in machine | {"name", "stage"} and not line.startswith("#"):
            assert re.search(r"# (\d\.\d|not in the paper)", line), line


FAMILIES = {
    "llava": ("LlavaConfig", "multi_modal_projector"),
    "qwen": ("Qwen2_5_VLConfig", "visual.merger"),
    "smolvlm": ("Idefics3Config", "connector"),
}
EXAMPLE_FAMILY = {
    "paper": "llava",
    "paper-stage1": "llava",
    "llava-13b-7b": "llava",
    "one-gpu-24gb": "llava",
    "images-only": "llava",
    "qwen-vl": "qwen",
    "vllm-teacher": "qwen",
    "smolvlm": "smolvlm",
}


@pytest.fixture(scope="module")
def parameters() -> dict[str, list[str]]:
    """The names of each family's parameters, from transformers' own classes; nothing is allocated."""
    import torch
    import transformers

    names = {}
    for family, (config, _) in FAMILIES.items():
        with torch.device("meta"):
            model = transformers.AutoModelForImageTextToText.from_config(
                getattr(transformers, config)()
            )
        names[family] = [name for name, _ in model.named_parameters()]
    return names


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_frozen_parts_are_parts_of_the_family(path: Path, parameters: dict[str, list[str]]) -> None:
    family = EXAMPLE_FAMILY[path.stem]
    names = parameters[family]
    asked: Hyperparameters = (
        load_stage1(path).training if "stage" in read_document(path) else load_config(path).training
    )
    for part in asked.train_only or asked.freeze:
        assert any(part in name for name in names), part
    trained = [name for name in names if not asked.frozen(name)]
    projector = FAMILIES[family][1]
    assert any(projector in name for name in trained)
    assert any(projector not in name for name in trained) == (not asked.train_only)
    # What looks at pixels is frozen in every example.
    assert not [name for name in trained if "patch_embed" in name]


def test_what_cannot_be_is_an_error(tmp_path: Path) -> None:
    def findings(**sections: Any) -> dict[str, str]:
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump({"name": "n", "pool": "p"} | sections))
        return {each.what: each.said for each in check_config(path) if each.level == "error"}

    assert findings() == {}
    assert "is not a run config" in findings(iterations=0)["config"]
    local = {"model": {"engine": "hf", "model": "./nothing"}}
    assert "no config.json" in findings(student=local)["student.model"]
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "config.json").write_text("{}")
    local = {"model": {"engine": "hf", "model": "./student"}}
    assert "no .safetensors" in findings(student=local)["student.model"]
    assert "cannot read" in findings(assessor={"prompt": "none.j2"})["assessor.prompt"]
    (tmp_path / "bad.j2").write_text("{{ nothing }}")
    assert "unknown variable" in findings(bootstrap={"prompt": "bad.j2"})["bootstrap.prompt"]
    idle = {"processes": 64, "micro_batch_size": 1}
    assert "use at most 16 ranks" in findings(training=idle)["training"]
    (tmp_path / "hosts").write_text("node-a\n")
    hosts = {"hostfile": "hosts"}
    assert "hosts:1" in findings(training=hosts)["training.hostfile"]
    assert "expected tags: 'sft'" in findings(training={"objective": "magic"})["config"]
    assert "neither shipped nor" in findings(training={"chat_template": "v9"})["training"]


def test_six_cards_share_the_papers_batch_and_it_is_told_what_stays_idle(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    asked = {"processes": 6, "micro_batch_size": 1}
    path.write_text(yaml.safe_dump({"name": "n", "pool": "p", "training": asked}))
    (told,) = [each for each in check_config(path) if "idle" in each.said]
    assert (told.level, told.what) == ("note", "training")
    assert "2 of 18 places" in told.said


def test_what_is_not_known_here_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    path = tmp_path / "run.yaml"
    server = {
        "engine": "openai",
        "model": "m",
        "base_url": "http://h/v1",
        "api_key_env": "SOME_KEY",
    }
    path.write_text(yaml.safe_dump({"name": "n", "pool": "p", "teacher": {"model": server}}))
    found = check_config(path)
    assert not failed(found)
    notes = {each.what: each for each in found if each.level == "note"}
    assert "SOME_KEY is not set" in notes["teacher.model.api_key_env"].said
    assert "comd import llava" in str(notes["pool"].hint)


def test_the_command_says_and_exits(tmp_path: Path) -> None:
    done = comd("config", "check", str(FOLDER / "qwen-vl.yaml"))
    assert done.returncode == 0, done.stderr
    assert "Qwen/Qwen2.5-VL-32B-Instruct at http://localhost:8000/v1" in done.stdout
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: x\n")
    done = comd("config", "check", str(broken), "--json")
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)[str(broken)]
    assert finding["level"] == "error"
    assert "pool: Field required" in finding["said"]


def test_vocabularies_are_compared_before_a_run_is_made(
    tmp_path: Path, engine: Engine, settings: Settings
) -> None:
    """The shipped pair shares one; with two words exchanged it is refused by check and by create."""
    other = tmp_path / "teacher"
    shutil.copytree(weights_path("teacher"), other)
    path = other / "tokenizer.json"
    told = json.loads(path.read_text())
    words = told["model"]["vocab"]
    words["cat"], words["dog"] = words["dog"], words["cat"]
    path.write_text(json.dumps(told))

    def write(teacher: Path, objective: object) -> Path:
        config = run_document("n", seed=1)
        config["teacher"]["model"]["model"] = str(teacher)
        config["training"]["objective"] = objective
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    def said(path: Path) -> list[tuple[str, str]]:
        return [(f.level, f.said) for f in check_config(path) if f.what == "training.objective"]

    assert said(write(other, "sft")) == []  # it compares no distributions
    assert said(write(weights_path("teacher"), "joint")) == [
        ("ok", f"joint: teacher and student share {len(words)} tokens")
    ]
    [(level, refused)] = said(write(other, "joint"))
    assert level == "error"
    for named in (str(other), str(weights_path("student")), "'cat' is token", "'dog' is token"):
        assert named in refused
    done = comd("run", "create", str(write(other, {"name": "logit_kd", "teacher": "stored"})))
    assert done.returncode == 1
    assert "different vocabularies" in done.stderr
    hub = run_document("n", seed=1)
    hub["training"]["objective"] = "joint"
    hub["teacher"]["model"]["model"] = "nobody/has-this"
    path = tmp_path / "hub.yaml"
    path.write_text(yaml.safe_dump(hub))
    assert [level for level, _ in said(path)] == ["note"]
