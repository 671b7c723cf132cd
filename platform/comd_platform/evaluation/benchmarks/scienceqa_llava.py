"""ScienceQA as LLaVA converted it: conversations whose question ends with lettered options.

`llava_test_CQM-A.json` holds context, question, options and the letter that is right; subject and grade
stand beside it, in `id_grade_subject.csv` or a `*_meta.jsonl`. On the published file, what is read here
agrees with the official problems for every one of the 4,241 test questions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from comd_platform.evaluation.benchmarks.base import QuestionsError
from comd_platform.evaluation.documents import read_csv, read_rows
from comd_platform.evaluation.letters import LETTERS

_SUBJECTS: Final = "id_grade_subject.csv"
_CONTEXT: Final = "Context:"
_PICTURE: Final = re.compile(r"\s*<image>\s*")


@dataclass(frozen=True, slots=True)
class Converted:
    """One problem. `body` is the whole question as LLaVA asks it, `stem` the same without its options;
    `image` the picture's path, if it has one; `answer` is 0 for A."""

    key: str
    subject: str
    grade: str
    image: str | None
    body: str
    stem: str
    choices: tuple[str, ...]
    answer: int

    @property
    def has_text(self) -> bool:
        """LLaVA writes the context only where the problem has a hint."""
        return self.body.startswith(_CONTEXT)


def converted_file(path: Path, split: str) -> Path | None:
    """The converted file of a split: `path` itself, or the one in the folder; None without one.

    Raises QuestionsError where a folder holds several and none is CQM-A.
    """
    if path.is_file():
        return path if path.name.startswith("llava_") else None
    files = sorted(path.glob(f"llava_{split}_*.json"))
    plain = [file for file in files if file.stem.endswith("CQM-A")]
    if len(plain or files) > 1:
        raise QuestionsError(
            f"{path} holds several files of converted questions: "
            + ", ".join(file.name for file in files),
            hint="Name one of them in place of the folder.",
        )
    return next(iter(plain or files), None)


def converted_problems(file: Path) -> Iterator[Converted]:
    """The problems of a converted file, in its order. Raises QuestionsError naming the problem."""
    told = _subjects(file)
    for number, row in enumerate(read_rows(file), start=1):
        key = str(row.get("id", ""))
        if key not in told:
            raise QuestionsError(
                f"{file}: problem {number} (id {key or 'missing'}) has no subject and grade in "
                f"{_SUBJECTS} or a *_meta.jsonl beside it"
            )
        yield _problem(file, key, row, *told[key])


def _problem(file: Path, key: str, row: Mapping[str, Any], subject: str, grade: str) -> Converted:
    try:
        human, gpt = (turn["value"].strip() for turn in row["conversations"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise QuestionsError(
            f"{file}: problem {key} is no question with one answer ({error!r})"
        ) from error
    body = _PICTURE.sub("\n", human).strip()
    stem, choices = _options(file, key, body)
    if gpt not in tuple(LETTERS[: len(choices)]):
        raise QuestionsError(
            f"{file}: the answer of problem {key} is no letter of its {len(choices)} options, but "
            f"{gpt[:40]!r}",
            hint="The file whose answers are letters alone is llava_test_CQM-A.json.",
        )
    return Converted(key, subject, grade, row.get("image"), body, stem, choices, LETTERS.index(gpt))


def _options(file: Path, key: str, body: str) -> tuple[str, tuple[str, ...]]:
    """(what stands before the options, the options), which begin "A. ", "B. " … and may have lines."""
    lines = body.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("A. ")]
    if len(starts) != 1:
        raise QuestionsError(
            f"{file}: {len(starts)} lines of problem {key} begin with 'A. ', not one: where do its "
            "options begin?"
        )
    choices: list[str] = []
    for line in lines[starts[0] :]:
        if len(choices) < len(LETTERS) and line.startswith(f"{LETTERS[len(choices)]}. "):
            choices.append(line[3:])
        else:
            choices[-1] += f"\n{line}"
    return "\n".join(lines[: starts[0]]).strip(), tuple(choices)


def _subjects(file: Path) -> dict[str, tuple[str, str]]:
    """Problem -> (subject, grade), from every file beside it that says them."""
    found: dict[str, tuple[str, str]] = {}
    for meta in sorted(file.parent.glob("*_meta.jsonl")):
        for row in read_rows(meta):
            found[str(row.get("id"))] = (str(row.get("subject")), str(row.get("grade")))
    table = file.parent / _SUBJECTS
    for line in read_csv(table) if table.is_file() else ():
        found[str(line.get("question_id"))] = (str(line.get("subject")), str(line.get("grade")))
    return found
