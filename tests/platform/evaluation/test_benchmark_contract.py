"""What every registered benchmark promises: its items can be asked and graded, its columns reported.

A new benchmark brings a small example of its own files and, for each metric, what is right to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comd_platform.errors import ComdError
from comd_platform.evaluation.benchmarks import BENCHMARKS, Result
from comd_platform.evaluation.grading import CHOICE, JUDGE, KNOWN, LIKELIHOOD, grade, rank
from comd_platform.evaluation.item import Item

Files = Callable[[Path], Path]


def _lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def _scienceqa(folder: Path) -> Path:
    problem = {
        "question": "Which is west?",
        "choices": ["Rome", "Lima", "Oslo"],
        "answer": 1,
        "hint": "Look at the map.",
        "image": "image.png",
        "subject": "social science",
        "grade": "grade4",
        "lecture": "Maps.",
        "solution": "Lima is west.",
    }
    (folder / "problems.json").write_text(json.dumps({"7": problem}))
    (folder / "pid_splits.json").write_text(json.dumps({"train": [], "test": ["7"]}))
    return folder


def _seed_bench(folder: Path) -> Path:
    options = {f"choice_{letter}": f"{letter} dog" for letter in "abcd"}
    row = {"question_id": "5", "question_type_id": 2, "data_id": "5.jpg", "question": "Who?"}
    path = folder / "SEED-Bench.json"
    path.write_text(json.dumps({"questions": [row | options | {"answer": "B"}]}))
    return path


def _llava_bench(folder: Path) -> Path:
    _lines(
        folder / "questions.jsonl",
        [{"question_id": 0, "image": "1.jpg", "text": "What is it?", "category": "conv"}],
    )
    _lines(folder / "answers_gpt4.jsonl", [{"question_id": 0, "text": "A dog."}])
    _lines(folder / "context.jsonl", [{"image": "1.jpg", "caption": "A dog sleeps."}])
    return folder


def _custom(folder: Path) -> Path:
    row = {"id": "1", "question": "Who?", "choices": ["cat", "dog"], "answer": "dog"}
    return _lines(folder / "items.jsonl", [row])


EXAMPLES: dict[str, Files] = {
    "scienceqa": _scienceqa,
    "seed_bench": _seed_bench,
    "llava_bench": _llava_bench,
    "custom": _custom,
}
CASES = [(kind, metric) for kind in BENCHMARKS for metric in BENCHMARKS[kind].metrics]


@pytest.fixture(params=CASES, ids="-".join)
def asked(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str, Item]:
    kind, metric = request.param
    [item] = BENCHMARKS[kind].read_items(EXAMPLES[kind](tmp_path), metric)
    return kind, metric, item


def test_every_benchmark_has_an_example() -> None:
    assert set(EXAMPLES) == set(BENCHMARKS)
    assert all(benchmark.kind == kind for kind, benchmark in BENCHMARKS.items())
    assert all(set(benchmark.metrics) <= set(KNOWN) for benchmark in BENCHMARKS.values())


def test_its_right_answer_scores_and_a_wrong_one_does_not(asked: tuple[str, str, Item]) -> None:
    _, metric, item = asked
    if metric == LIKELIHOOD:
        assert rank([-2.0, -1.0, *[-3.0] * (len(item.choices or ()) - 2)], item.answers).score == 1
        assert rank([-1.0, -2.0], item.answers).score == 0
    elif metric == JUDGE:
        assert grade(metric, "anything", item.answers).score is None
    else:
        right = f"The answer is {item.answers[0]}." if metric == CHOICE else item.answers[0]
        assert grade(metric, right, item.answers, item.choices).score == 1
        assert grade(metric, "who knows", item.answers, item.choices).score == 0


def test_its_question_says_what_the_metric_needs(asked: tuple[str, str, Item]) -> None:
    _, metric, item = asked
    assert item.question
    if metric in (CHOICE, LIKELIHOOD):
        assert item.choices
        shown = [choice in item.question for choice in item.choices]
        assert all(shown) if metric == CHOICE else not any(shown)


def test_its_items_count_in_its_columns(asked: tuple[str, str, Item]) -> None:
    kind, _, item = asked
    columns = BENCHMARKS[kind].report([Result(item.groups, 0.5, 1.0)])
    assert tuple(columns) == BENCHMARKS[kind].columns
    assert columns["Avg"] == 50.0
    counted = {name for name, score in columns.items() if score is not None}
    assert counted == {"Avg", *BENCHMARKS[kind].columns_of(item.groups)}


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for benchmark in BENCHMARKS.values():
        with pytest.raises(ComdError):
            list(benchmark.read_items(tmp_path / "nothing.json", benchmark.metrics[0]))


def test_scienceqa_is_worded_as_llava_does(tmp_path: Path) -> None:
    [item] = BENCHMARKS["scienceqa"].read_items(_scienceqa(tmp_path), CHOICE)
    assert item.question == (
        "Which is west?\nContext: Look at the map.\nOptions: (A) Rome (B) Lima (C) Oslo"
    )
    assert item.image == "7/image.png"
    assert item.groups == {"subject": "SOC", "context": "TXT+IMG", "grade": "G1-6"}


def test_the_llava_test_set_as_it_is_shipped(shared_data: Path) -> None:
    items = list(BENCHMARKS["llava_bench"].read_items(shared_data / "llava", JUDGE))
    assert len(items) == 90
    assert all(item.answers[0] and item.context for item in items)
    assert sum(item.groups["category"] == "DD" for item in items) == 30
