"""What most users have: a JSON or JSONL file of pictures, questions and answers of their own.

    {"id", "image"?, "question", "answer" | "answers", "choices"?, "groups"?, "context"?}

Exact, normalised or contained match, multiple choice by letter or likelihood, or a judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from comd_platform.evaluation.benchmarks.base import (
    Benchmark,
    FileReport,
    QuestionsError,
    Result,
)
from comd_platform.evaluation.benchmarks.wording import worded
from comd_platform.evaluation.grading import CHOICE, KNOWN, WITH_CHOICES, grade
from comd_platform.evaluation.item import Item
from comd_platform.evaluation.predictions import read_predictions


class Custom(Benchmark):
    kind: ClassVar[str] = "custom"
    columns: ClassVar[tuple[str, ...]] = ("Avg",)
    metrics: ClassVar[tuple[str, ...]] = ("normalized", *(m for m in KNOWN if m != "normalized"))

    def read_items(self, path: Path, metric: str) -> Iterator[Item]:
        # The importers stand on the database; scoring other people's files must not.
        from comd_platform.evaluation.item_files import read_items

        for item in read_items(path):
            if metric not in WITH_CHOICES:
                yield item
            elif item.choices is None:
                raise QuestionsError(f"{path}: item {item.key} has no choices for {metric}")
            else:
                yield replace(item, question=worded(item.question, item.choices, metric))

    def score_file(self, questions: Path | None, predictions: Path, *, stored: bool) -> FileReport:
        """By letter where an item has choices, else by normalised match; nothing is stored."""
        if questions is None or stored:
            raise QuestionsError(
                "a custom benchmark needs its questions, and its files store no scores",
                hint="--questions FILE, without --stored.",
            )
        found = read_predictions(predictions)
        items = {item.key: item for item in self.read_items(questions, self.metrics[0])}
        grades = {
            key: grade(CHOICE if item.choices else "normalized", reply, item.answers, item.choices)
            for key, item in items.items()
            if isinstance(reply := found.said.get(key), str)
        }
        return FileReport(
            benchmark=self.kind,
            scores=self.report(
                Result(item.groups, (grades[key].score or 0.0) if key in grades else 0.0)
                for key, item in items.items()
            ),
            n=len(items),
            unreadable=sum(
                items[key].choices is not None and one.choice is None for key, one in grades.items()
            ),
            duplicates=sum(found.repeated.values()),
            missing=len(items) - len(grades),
            unknown=sum(key not in items for key in found.said),
            extraction="strict",
        )
