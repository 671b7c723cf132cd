"""ScienceQA (Lu et al. 2022): the nine columns of the paper's Table 1.

Questions are a folder with `pid_splits.json` and either the official `problems.json` or its trimmed
form, a JSONL of `{id, subject, grade, has_text, has_image, answer, n_choices}`, or LLaVA's converted
form (`scienceqa_llava`). A question with a hint is TXT, with a picture IMG (both may be), with neither
NO.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from comd_platform.evaluation.benchmarks.base import QuestionsError
from comd_platform.evaluation.benchmarks.choices import Choice, ChoiceBenchmark
from comd_platform.evaluation.benchmarks.scienceqa_llava import (
    Converted,
    converted_file,
    converted_problems,
)
from comd_platform.evaluation.benchmarks.wording import LETTER_PLEASE
from comd_platform.evaluation.documents import read_document, read_rows
from comd_platform.evaluation.grading import LIKELIHOOD, WITH_CHOICES
from comd_platform.evaluation.item import Item
from comd_platform.evaluation.letters import LETTERS

_SUBJECTS: Final = {"natural science": "NAT", "social science": "SOC", "language science": "LAN"}
_PROBLEMS, _SPLITS = "problems.json", "pid_splits.json"


@dataclass(frozen=True, slots=True)
class Problem:
    """What the columns and the key need of a problem; `grade` is 1 to 12."""

    key: str
    subject: str
    grade: int
    has_text: bool
    has_image: bool
    answer: int
    count: int

    @property
    def columns(self) -> tuple[str, ...]:
        subject = _SUBJECTS.get(self.subject)
        if subject is None:
            raise QuestionsError(f"ScienceQA problem {self.key}: unknown subject {self.subject!r}")
        contexts = [
            name for name, there in (("TXT", self.has_text), ("IMG", self.has_image)) if there
        ]
        return (subject, *(contexts or ["NO"]), "G1-6" if self.grade <= 6 else "G7-12")


class ScienceQA(ChoiceBenchmark):
    kind: ClassVar[str] = "scienceqa"
    columns: ClassVar[tuple[str, ...]] = (
        "NAT",
        "SOC",
        "LAN",
        "TXT",
        "IMG",
        "NO",
        "G1-6",
        "G7-12",
        "Avg",
    )
    metrics: ClassVar[tuple[str, ...]] = WITH_CHOICES
    temperature: ClassVar[float | None] = 0.5
    max_new_tokens: ClassVar[int | None] = 1024

    def read_items(self, path: Path, metric: str) -> Iterator[Item]:
        """QCM prompts, whose answers are to end with "The answer is X."; ranked: without options.

        LLaVA's converted form is asked as LLaVA asks it: as it stands, and for the letter alone.
        """
        converted = _converted_file(path, "test")
        if converted is not None:
            yield from (_asked(each, metric) for each in _of_split(converted, "test"))
            return
        for key, problem in official_problems(path, "test"):
            columns = _official(key, problem).columns
            question, _ = qcm_lea(problem)
            if metric == LIKELIHOOD:
                question = f"{problem['question']}\nContext: {problem['hint'] or 'N/A'}"
            yield Item(
                key,
                f"{key}/{problem['image']}" if problem["image"] else None,
                question,
                (LETTERS[problem["answer"]],),
                _groups(columns),
                tuple(problem["choices"]),
            )

    def read_key(self, questions: Path, split: str = "test") -> dict[str, Choice]:
        """The problems of a split. Raises QuestionsError."""
        return {
            problem.key: Choice(problem.answer, problem.count, problem.columns)
            for problem in read_problems(questions, split)
        }


def read_problems(path: Path, split: str) -> Iterator[Problem]:
    """The problems of a split, from the folder or a file in it. Raises QuestionsError."""
    folder = path if path.is_dir() else path.parent
    official = path if path.is_file() else folder / _PROBLEMS
    converted = _converted_file(path, split)
    trimmed = any(folder.glob(f"*_{split}_meta.jsonl"))
    if converted is not None and (converted == path or not trimmed):
        yield from map(_of_converted, _of_split(converted, split))
        return
    if official.name.endswith(".jsonl") or not official.is_file():
        yield from _trimmed(folder, official, split)
        return
    for key, problem in official_problems(official, split):
        yield _official(key, problem)


def _groups(columns: tuple[str, ...]) -> dict[str, str]:
    return {"subject": columns[0], "context": "+".join(columns[1:-1]), "grade": columns[-1]}


def _converted_file(path: Path, split: str) -> Path | None:
    """LLaVA's file, where it is what was given or the official one is not there."""
    if path.is_dir() and (path / _PROBLEMS).is_file():
        return None
    return converted_file(path, split)


def _of_split(file: Path, split: str) -> Iterator[Converted]:
    """The problems of a converted file; with pid_splits.json beside it, exactly those of the split."""
    found = {problem.key: problem for problem in converted_problems(file)}
    wanted = split_ids(file.parent, split, {}) if (file.parent / _SPLITS).is_file() else found
    for key in wanted:
        if key not in found:
            raise QuestionsError(f"{file} lacks problem {key} of the split {split}")
        yield found[key]


def _of_converted(each: Converted) -> Problem:
    try:
        grade = _grade(each.grade)
    except ValueError as error:
        raise QuestionsError(f"ScienceQA problem {each.key}: unknown {error}") from error
    there = bool(each.image)
    return Problem(
        each.key, each.subject, grade, each.has_text, there, each.answer, len(each.choices)
    )


def _asked(each: Converted, metric: str) -> Item:
    groups = _groups(_of_converted(each).columns)
    question = each.stem if metric == LIKELIHOOD else f"{each.body}\n{LETTER_PLEASE}"
    answers = (LETTERS[each.answer],)
    return Item(each.key, each.image, question, answers, groups, each.choices)


def split_ids(folder: Path, split: str, problems: Mapping[str, Any]) -> list[str]:
    """The ids of a split: from pid_splits.json, else by each problem's own `split`."""
    file = folder / _SPLITS
    if not file.is_file():
        found = [key for key, problem in problems.items() if problem.get("split") == split]
        if not found:
            raise QuestionsError(f"{folder} has no {_SPLITS}, and no problem says split: {split}")
        return found
    splits = read_document(file)
    if split not in splits:
        raise QuestionsError(f"{file} has no split {split}", hint=f"Known: {', '.join(splits)}.")
    return [str(key) for key in splits[split]]


def official_problems(path: Path, split: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(id, problem) of a split of the official problems.json. Raises QuestionsError."""
    file = path / _PROBLEMS if path.is_dir() else path
    if not file.is_file():
        raise QuestionsError(
            f"{path} holds no {_PROBLEMS}",
            hint="Asking models takes the official problems.json or LLaVA's llava_test_CQM-A.json; "
            "what has no questions in it only scores.",
        )
    problems = read_document(file)
    for key in split_ids(file.parent, split, problems):
        if key not in problems:
            raise QuestionsError(f"{file} lacks problem {key} of the split {split}")
        yield key, problems[key]


def qcm_lea(problem: Mapping[str, Any]) -> tuple[str, str]:
    """(question, answer) as LLaVA words them, QCM-LEA: question, context and options; lecture,
    explanation and "The answer is X."."""
    options = " ".join(
        f"({letter}) {choice}" for letter, choice in zip(LETTERS, problem["choices"], strict=False)
    )
    context = str(problem["hint"]).strip() or "N/A"
    question = f"{problem['question']}\nContext: {context}\nOptions: {options}"
    told = [str(problem.get(part) or "").strip() for part in ("lecture", "solution")]
    closing = f"The answer is {LETTERS[problem['answer']]}."
    answer = " ".join(part for part in (*told, closing) if part)
    return question.replace("  ", " "), answer.replace("  ", " ")


def _official(key: str, problem: Mapping[str, Any]) -> Problem:
    try:
        return Problem(
            key,
            problem["subject"],
            _grade(problem["grade"]),
            bool(problem["hint"]),
            bool(problem["image"]),
            int(problem["answer"]),
            len(problem["choices"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise QuestionsError(f"ScienceQA problem {key} cannot be read: {error!r}") from error


def _trimmed(folder: Path, path: Path, split: str) -> Iterator[Problem]:
    files = [path] if path.is_file() else sorted(folder.glob(f"*_{split}_meta.jsonl"))
    if len(files) != 1:
        raise QuestionsError(
            f"{folder} holds no {_PROBLEMS}, and no one file like scienceqa_{split}_meta.jsonl",
            hint="Give the folder of ScienceQA's problems.json and pid_splits.json.",
        )
    rows = {str(row.get("id")): row for row in read_rows(files[0])}
    splits = folder / _SPLITS
    wanted = split_ids(folder, split, {}) if splits.is_file() else list(rows)
    for key in wanted:
        if key not in rows:
            raise QuestionsError(f"{files[0]} lacks problem {key} of the split {split}")
        row = rows[key]
        try:
            yield Problem(
                key,
                row["subject"],
                _grade(row["grade"]),
                row["has_text"],
                row["has_image"],
                row["answer"],
                row["n_choices"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise QuestionsError(f"{files[0]}, problem {key}: {error!r}") from error


def _grade(value: object) -> int:
    """grade7, "7" or 7."""
    match = re.fullmatch(r"(?:grade)?\s*(\d{1,2})", str(value))
    if match is None:
        raise ValueError(f"grade {value!r}")
    return int(match[1])
