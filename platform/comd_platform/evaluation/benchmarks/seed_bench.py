"""SEED-Bench's image part (Li et al. 2023): the nine dimensions of the paper's Table 2.

Questions are the official `SEED-Bench.json`, or rows of it, or a results file that carries `gt_answer`:
then the dimensions are unknown, and null rather than guessed. Video questions (dimensions 10 to 12, ids
that begin with v) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from comd_platform.evaluation.benchmarks.base import FileReport, QuestionsError
from comd_platform.evaluation.benchmarks.choices import Choice, ChoiceBenchmark
from comd_platform.evaluation.benchmarks.wording import worded
from comd_platform.evaluation.documents import read_document
from comd_platform.evaluation.grading import CHOICE, LIKELIHOOD
from comd_platform.evaluation.item import Item
from comd_platform.evaluation.letters import LETTERS
from comd_platform.evaluation.predictions import SURE_FIELDS

DIMENSIONS: Final = ("SUG", "IY", "IAS", "ILN", "ICG", "SRS", "IIN", "VRG", "TRN")
"""Scene Understanding 1, Instance Identity 2, … Text Recognition 9, in the official numbering."""

_OPTIONS: Final = ("choice_a", "choice_b", "choice_c", "choice_d")


class SeedBench(ChoiceBenchmark):
    kind: ClassVar[str] = "seed_bench"
    columns: ClassVar[tuple[str, ...]] = (*DIMENSIONS, "Avg")
    carries_key: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = (LIKELIHOOD, CHOICE)
    temperature: ClassVar[float | None] = 0.1
    max_new_tokens: ClassVar[int | None] = 16

    def read_items(self, path: Path, metric: str) -> Iterator[Item]:
        """The image questions, ranked by likelihood as the official evaluation does, or by letter."""
        key = self.read_key(path)
        for row in read_questions(path):
            name = str(row["question_id"])
            if name not in key:
                continue
            try:
                choices = tuple(str(row[option]) for option in _OPTIONS[: key[name].count])
                question, image = str(row["question"]), str(row["data_id"])
            except KeyError as error:
                raise QuestionsError(f"{path}: question {name} has no {error}") from error
            groups = {"dimension": key[name].columns[0]} if key[name].columns else {}
            answer = LETTERS[key[name].answer]
            yield Item(name, image, worded(question, choices, metric), (answer,), groups, choices)

    def score_file(self, questions: Path | None, predictions: Path, *, stored: bool) -> FileReport:
        """As every choice benchmark, but for a file whose `answer` were key and prediction at once."""
        for row in read_questions(predictions) if questions is None else ():
            if "gt_answer" not in row and not any(name in row for name in SURE_FIELDS):
                raise QuestionsError(
                    f"{predictions}: question {row['question_id']} has an answer, but nothing says "
                    "whether the model's or the right one",
                    hint="--questions SEED-Bench.json says what is right.",
                )
        return super().score_file(questions, predictions, stored=stored)

    def read_key(self, questions: Path) -> dict[str, Choice]:
        key: dict[str, Choice] = {}
        for row in read_questions(questions):
            name = str(row.get("question_id"))
            dimension = dimension_of(row)
            if not self.counts(name) or dimension not in range(len(DIMENSIONS) + 1):
                continue
            answer = row.get("gt_answer", row.get("answer"))
            options = sum(option in row for option in _OPTIONS) or len(_OPTIONS)
            if not isinstance(answer, str) or answer.strip() not in tuple("ABCD"[:options]):
                raise QuestionsError(
                    f"{questions}: question {name} has no right option (gt_answer or answer), "
                    f"but {answer!r}",
                    hint="Give SEED-Bench.json, or a results file that carries gt_answer.",
                )
            columns = (DIMENSIONS[dimension - 1],) if dimension else ()
            key[name] = Choice("ABCD".index(answer.strip()), options, columns)
        if not key:
            raise QuestionsError(f"{questions} holds no question about an image")
        return key

    def counts(self, key: str) -> bool:
        return not key.startswith("v")


def read_questions(path: Path) -> list[Mapping[str, Any]]:
    """The rows of a question file, whatever stands around them. Raises QuestionsError."""
    files = sorted(path.glob("SEED-Bench*.json")) if path.is_dir() else [path]
    if len(files) != 1:
        raise QuestionsError(f"{path} holds no one file like SEED-Bench.json")
    document = read_document(files[0])
    if isinstance(document, dict):
        document = document.get("questions", [document])
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise QuestionsError(
            f"{path} is no list of questions",
            hint="Give SEED-Bench.json, or a results file that carries gt_answer.",
        )
    for number, row in enumerate(document, start=1):
        if row.get("question_id") is None:
            raise QuestionsError(f"{path}: question {number} has no question_id")
    return document


def dimension_of(row: Mapping[str, Any]) -> int:
    """The official number of a question's dimension; 0 where the row does not say."""
    value = row.get("question_type_id", 0)
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise QuestionsError(
            f"question {row.get('question_id')}: question_type_id is {value!r}"
        ) from error
