"""The task type of an instruction: the record's own, else the wording's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comd_platform.method.task_types import by_wording, task_type

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Describe the following image in detail.", "detail description"),
        ("Provide a detailed description of the given image.", "detail description"),
        ("Can you describe the main features of this image for me?", "detail description"),
        ("What is this photo about'?", "detail description"),
        ("Write a terse but informative summary of the picture.", "conversation"),
        ("Render a clear and concise summary of the photo.", "conversation"),
        ("Write a detailed analysis of the photo.", "detail description"),
        ("What details do you see?", "conversation"),
        ("Explain in detail why the man is angry.", "conversation"),
        ("What is it?\nA. a cat\nB. a dog", "multiple choice"),
        ("What is it? (A) a cat (B) a dog", "multiple choice"),
        ("Is vitamin A. or B. better?", "conversation"),
        ("What color is the cat?", "conversation"),
    ],
)
def test_the_wording(question: str, expected: str) -> None:
    assert by_wording(question) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"task_type": "conv"}, "conversation"),
        ({"category": "detail"}, "detail description"),
        ({"type": "complex"}, "complex reasoning"),
        ({"type": "complex_reasoning"}, "complex reasoning"),
        ({"task_type": "knowledge", "category": "conv"}, "knowledge"),
        ({"task_type": " Counting "}, "Counting"),
        ({"task_type": "", "type": "detail"}, "detail description"),
        ({"task_type": None, "category": 3}, "conversation"),
        ({}, "conversation"),
        (None, "conversation"),
    ],
)
def test_the_record_wins(record: dict[str, object] | None, expected: str) -> None:
    assert task_type("What is it?", record) == expected


def test_the_rule_can_be_replaced() -> None:
    assert task_type("What?", {}, rule=lambda question: question.lower()) == "what?"
    assert task_type("What?", {"type": "conv"}, rule=lambda question: "no") == "conversation"


@pytest.mark.skipif(not DATA.is_dir(), reason="the real questions are not on this machine")
def test_the_rule_on_real_questions() -> None:
    """Detail is found where GPT-4's own label says so, and nowhere else."""
    path = DATA / "llava" / "coco2014_val_gpt4_qa_30x3.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    called = [by_wording(row["instruction"]) == "detail description" for row in rows]
    is_detail = [row["type"] == "detail" for row in rows]
    assert sum(c and d for c, d in zip(called, is_detail, strict=True)) == 30
    assert sum(c and not d for c, d in zip(called, is_detail, strict=True)) == 0
