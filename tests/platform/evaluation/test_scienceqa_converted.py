"""LLaVA's converted ScienceQA: the same problems as the trimmed official ones, and askable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comd_platform.errors import ComdError
from comd_platform.evaluation.benchmarks import BENCHMARKS
from comd_platform.evaluation.benchmarks.scienceqa import read_problems

FILE = "llava_test_CQM-A.json"


def write(folder: Path, human: str, gpt: str, *, subjects: bool = True) -> Path:
    turns = [{"from": "human", "value": human}, {"from": "gpt", "value": gpt}]
    rows: list[dict[str, Any]] = [{"id": "7", "image": "7/image.png", "conversations": turns}]
    (folder / FILE).write_text(json.dumps(rows))
    if subjects:
        head = "question_id,question_id_no0,grade,subject"
        (folder / "id_grade_subject.csv").write_text(f"{head}\n7,1,2,social science\n")
    return folder


def test_every_published_problem_is_the_official_one(shared_data: Path) -> None:
    folder = shared_data / "scienceqa"
    official = {problem.key: problem for problem in read_problems(folder, "test")}
    converted = {problem.key: problem for problem in read_problems(folder / FILE, "test")}
    assert len(converted) == 4241
    assert converted == official
    items = list(BENCHMARKS["scienceqa"].read_items(folder, "choice"))
    assert [item.key for item in items] == list(official)
    assert all(len(item.choices or ()) == official[item.key].count for item in items)


def test_an_item_is_asked_as_llava_asks_it(tmp_path: Path) -> None:
    folder = write(tmp_path, "<image>\nContext: A map.\nWhich?\nA. See you,\nJo\nB. east", "B")
    [item] = BENCHMARKS["scienceqa"].read_items(folder, "choice")
    assert item.question.startswith(
        "Context: A map.\nWhich?\nA. See you,\nJo\nB. east\nAnswer with"
    )
    assert (item.image, item.answers, item.choices) == (
        "7/image.png",
        ("B",),
        ("See you,\nJo", "east"),
    )
    assert item.groups == {"subject": "SOC", "context": "TXT+IMG", "grade": "G1-6"}
    [ranked] = BENCHMARKS["scienceqa"].read_items(folder, "likelihood")
    assert ranked.question == "Context: A map.\nWhich?"
    said = tmp_path / "said.json"
    said.write_text('{"7": "B"}')
    assert BENCHMARKS["scienceqa"].score_file(folder, said, stored=False).scores["SOC"] == 100


@pytest.mark.parametrize(
    ("human", "gpt", "subjects", "told"),
    [
        ("Which?\nA. x\nB. y", "B", False, "no subject and grade"),
        ("Which?\nA. x\nB. y", "C", True, "no letter of its 2 options"),
        ("Which?\nA. x\nB. y", "The answer is B.", True, "no letter of its 2 options"),
        ("Which?", "B", True, "0 lines of problem 7"),
        ("A. Which?\nA. x\nB. y", "B", True, "2 lines of problem 7"),
    ],
)
def test_what_is_not_clear_is_refused(
    human: str, gpt: str, subjects: bool, told: str, tmp_path: Path
) -> None:
    folder = write(tmp_path, human, gpt, subjects=subjects)
    with pytest.raises(ComdError, match=told):
        list(BENCHMARKS["scienceqa"].read_items(folder, "choice"))
