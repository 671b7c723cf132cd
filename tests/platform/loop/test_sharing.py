"""Which changes leave an iteration as it is, and from which phase on the others touch it."""

from __future__ import annotations

from pathlib import Path

import pytest

from comd_platform.config.load import parse_config
from comd_platform.loop.sharing import first_touched

BASE = parse_config({"name": "base", "pool": "seed"})


@pytest.mark.parametrize(
    ("change", "phase"),
    [
        ("seed=9", None),
        ("iterations=7", None),
        ("method.difficulty_threshold=0.67", None),
        ("method.selection=regret", None),
        ("method.selection=random", None),
        ("method.max_new=10", None),
        ("augmentor.sampling.temperature=1.0", None),
        ("teacher.batch=8", None),
        ("training.device=cpu", None),
        ("teacher.sampling.temperature=0.9", "label"),
        ("teacher.model={engine: hf, model: other/model}", "label"),
        ("training.learning_rate=1e-4", "tune"),
        ("training.batch_size=32", "tune"),
        ("pools.mode=accumulate", "tune"),
        ("method.selection=uncertainty", "answer"),
        ("evaluation.temperature=0.2", "evaluate"),
        ("assessor.sampling.temperature=0", "judge"),
        ("method.judge_attempts=5", "judge"),
    ],
)
def test_first_touched(change: str, phase: str | None) -> None:
    assert first_touched(BASE, parse_config({"name": "base", "pool": "seed"}, [change])) == phase


def test_naming_the_teacher_as_assessor_is_no_change() -> None:
    document = BASE.model_dump(mode="json")
    document["assessor"]["model"] = document["teacher"]["model"]
    assert first_touched(BASE, parse_config(document)) is None


def test_scores_that_were_not_made_have_to_be_made() -> None:
    blind = parse_config({"name": "b", "pool": "seed"}, ["method.selection=random"])
    assert first_touched(blind, BASE) == "answer"
    short = parse_config({"name": "b", "pool": "seed"}, ["method.assess_last=false"])
    assert first_touched(short, BASE) == "answer"


def test_another_prompt_is_another_assessor(tmp_path: Path) -> None:
    changed = parse_config({"name": "b", "pool": "s"}, [f"assessor.prompt={tmp_path / 'p.j2'}"])
    assert first_touched(BASE, changed) == "judge"


def test_what_is_kept_out_matters_where_there_is_a_benchmark() -> None:
    assert first_touched(BASE, parse_config(_named(), ["decontamination.mode=report"])) is None
    held_out = parse_config(_named(), ["evaluation.benchmarks=[a]"])
    for change in ("decontamination=report", "decontamination=off", "evaluation.benchmarks=[a, b]"):
        changed = parse_config(_named(), ["evaluation.benchmarks=[a]", change])
        assert first_touched(held_out, changed) == "decontaminate"
    both_off = ["evaluation.benchmarks=[a]", "decontamination.mode=off"]
    more = parse_config(_named(), [*both_off, "evaluation.benchmarks=[a, b]"])
    assert first_touched(parse_config(_named(), both_off), more) == "evaluate"


def _named() -> dict[str, str]:
    return {"name": "base", "pool": "seed"}
