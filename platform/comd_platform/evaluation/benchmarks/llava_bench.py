"""LLaVA's judged benchmarks: the 90-question test set and LLaVA-Bench in the wild (paper's Table 3).

A review gives two scores, the reference answer's first. A column is the candidate's mean over the
reference's, in percent, so that it is no mean over questions. Questions are only needed for reviews that
do not carry their category.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from comd_platform.evaluation.benchmarks.base import (
    Benchmark,
    FileReport,
    QuestionsError,
    Result,
)
from comd_platform.evaluation.documents import Row, read_rows
from comd_platform.evaluation.grading import JUDGE
from comd_platform.evaluation.item import Item
from comd_platform.evaluation.predictions import PredictionError
from comd_platform.method.judging import parse_scores

CATEGORIES: Final = {"conv": "Con", "complex": "CR", "detail": "DD"}
_CONTENTS: Final = ("content", "text", "review")
_SCORES: Final = ("tuple", "score", "scores")


class LlavaBench(Benchmark):
    kind: ClassVar[str] = "llava_bench"
    columns: ClassVar[tuple[str, ...]] = (*CATEGORIES.values(), "Avg")
    decimals: ClassVar[int] = 1
    metrics: ClassVar[tuple[str, ...]] = (JUDGE,)
    max_new_tokens: ClassVar[int | None] = 1024

    def read_items(self, path: Path, metric: str = JUDGE) -> Iterator[Item]:
        """A folder with the questions, GPT-4's answers and (optional) captions of the pictures."""
        assert metric == JUDGE, "the one way in which these questions are asked"
        references = {
            str(row.get("question_id")): row.get("text")
            for row in read_rows(_only_file(path, "*gpt4_answer*.jsonl", "*answers_gpt4*.jsonl"))
        }
        captions = _captions(path)
        for row in read_rows(_only_file(path, "*question*.jsonl")):
            key, category = str(row.get("question_id")), str(row.get("category", ""))
            column, reference = column_of(category), references.get(key)
            if column is None or not isinstance(reference, str) or "text" not in row:
                raise QuestionsError(
                    f"{path}: question {key} lacks its text, a known category ({category!r}) or "
                    "GPT-4's answer"
                )
            image = row.get("image")
            groups = {"category": column}
            context = captions.get(str(image))
            yield Item(key, image, row["text"], (reference,), groups, None, context)

    def score_file(self, questions: Path | None, predictions: Path, *, stored: bool) -> FileReport:
        reviews: dict[str, Row] = {}
        rows = read_rows(predictions)
        for number, row in enumerate(rows, start=1):
            if row.get("question_id") is None:
                raise PredictionError(f"{predictions}: review {number} has no question_id")
            reviews[str(row["question_id"])] = row
        categories = read_categories(questions) if questions else {}
        read = {key: _pair(predictions, key, row, stored) for key, row in reviews.items()}
        columns = {key: _column(predictions, key, row, categories) for key, row in reviews.items()}
        return FileReport(
            benchmark=self.kind,
            scores=self.relative({key: pair for key, pair in read.items() if pair}, columns),
            n=len(reviews),
            unreadable=sum(pair is None for pair in read.values()),
            duplicates=len(rows) - len(reviews),
            missing=sum(key not in reviews for key in categories),
            unknown=sum(key not in categories for key in reviews) if questions else 0,
            extraction="stored" if stored else "strict",
        )

    def relative(
        self, pairs: Mapping[str, tuple[float, float]], columns: Mapping[str, str]
    ) -> dict[str, float | None]:
        """100 · mean(candidate) / mean(reference), by category and over all."""
        return self.report(
            Result({"category": columns[key]}, candidate, reference)
            for key, (reference, candidate) in pairs.items()
        )


def read_categories(path: Path) -> dict[str, str]:
    """Question id -> category, from a file of questions or a folder with one."""
    file = _only_file(path, "*question*.jsonl") if path.is_dir() else path
    found: dict[str, str] = {}
    for number, row in enumerate(read_rows(file), start=1):
        if row.get("question_id") is None:
            raise QuestionsError(f"{file}: question {number} has no question_id")
        found[str(row["question_id"])] = str(row.get("category", ""))
    return found


def _only_file(folder: Path, *patterns: str) -> Path:
    files = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    if len(files) != 1:
        raise QuestionsError(
            f"{folder} holds {len(files)} files like {' or '.join(patterns)}, not one",
            hint="Give the folder of LLaVA-Bench's questions and GPT-4's answers.",
        )
    return files[0]


def _captions(folder: Path) -> dict[str, str]:
    """Picture -> what is in it, from context.jsonl (in the wild) or caps_boxes (the test set)."""
    files = sorted({*folder.glob("context*.jsonl"), *folder.glob("caps*.jsonl")})
    found: dict[str, str] = {}
    for row in (row for file in files for row in read_rows(file)):
        told = row.get("captions", row.get("caption", ""))
        found[str(row.get("image"))] = "\n".join(told) if isinstance(told, list) else str(told)
    return found


def column_of(category: str) -> str | None:
    """conv, llava_bench_conv and the like as the paper's column; None for another category."""
    return CATEGORIES.get(category.removeprefix("llava_bench_"))


def _column(path: Path, key: str, row: Row, categories: Mapping[str, str]) -> str:
    category = str(row.get("category", categories.get(key, "")))
    column = column_of(category)
    if column is None:
        raise PredictionError(
            f"{path}: the review of question {key} has no category that is known, but {category!r}",
            hint="--questions FILE says the category of each question: "
            + ", ".join(CATEGORIES)
            + ".",
        )
    return column


def _pair(path: Path, key: str, row: Row, stored: bool) -> tuple[float, float] | None:
    """(reference, candidate); None for a review that gives no two scores from 0 to 10."""
    content: Any = next((row[name] for name in _CONTENTS if isinstance(row.get(name), str)), None)
    scores: Any = next((row[name] for name in _SCORES if isinstance(row.get(name), list)), None)
    if content is None and scores is None:
        raise PredictionError(
            f"{path}: the review of question {key} has neither a text nor scores",
            hint="Reviews have question_id, content (the judge's text) or tuple (its two scores).",
        )
    if content is not None and not stored:
        scores = parse_scores(content)
    elif scores is None:
        raise PredictionError(
            f"{path}: the review of question {key} stores no scores, only the judge's text",
            hint="Without --stored the scores are read from each text.",
        )
    if scores is None or len(scores) != 2:
        return None
    first, second = float(scores[0]), float(scores[1])
    return (first, second) if min(first, second) >= 0 else None
