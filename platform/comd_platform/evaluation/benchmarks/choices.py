"""Multiple-choice benchmarks: a key of right options, and the share that a model gets right."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from comd_platform.evaluation.benchmarks.base import Benchmark, FileReport, QuestionsError
from comd_platform.evaluation.letters import LETTERS, read_option
from comd_platform.evaluation.predictions import (
    PredictionError,
    Predictions,
    Said,
    read_predictions,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One question's key: the right option (0 for A) of `count`, and the columns it counts in."""

    answer: int
    count: int
    columns: tuple[str, ...]


class ChoiceBenchmark(Benchmark):
    """A benchmark whose questions have lettered options. The whole of the key counts: a question
    without a readable prediction is a wrong one, as in the published tables."""

    carries_key: ClassVar[bool] = False
    """Whether a file of predictions may hold the right options too, so that it scores itself."""

    @abstractmethod
    def read_key(self, questions: Path) -> dict[str, Choice]:
        """The questions that count, by id. Raises QuestionsError."""

    def counts(self, key: str) -> bool:
        """Whether a prediction's id can be a question of this benchmark at all."""
        return bool(key)

    def score_file(self, questions: Path | None, predictions: Path, *, stored: bool) -> FileReport:
        found = read_predictions(predictions)
        if questions is None and not self.carries_key:
            raise QuestionsError(
                f"{self.kind} needs its questions", hint="--questions PATH says where they are."
            )
        key = self.read_key(questions or predictions)
        if not any(name in key for name in found.said | found.stored):
            raise PredictionError(
                f"{predictions}: none of its {len(found.said):,} ids is a question in "
                f"{questions or predictions} (the first is {next(iter(found.said), None)!r})",
                hint="Are these predictions for another split, or for another benchmark?",
            )
        answers = _stored_answers(predictions, found) if stored else found.said
        read = _as_stored if stored else read_strictly
        taken = {
            name: read(answers[name], choice.count)
            for name, choice in key.items()
            if name in answers
        }
        if not any(option is not None for option in taken.values()):
            _refuse_numbers(predictions, [answers[name] for name in taken])
        return FileReport(
            benchmark=self.kind,
            scores=self.score(key, taken),
            n=len(key),
            unreadable=sum(option is None for option in taken.values()),
            duplicates=sum(found.repeated.values()),
            missing=len(key) - len(taken),
            unknown=sum(name not in key and self.counts(name) for name in answers),
            extraction="stored" if stored else "strict",
        )

    def score(
        self, key: Mapping[str, Choice], taken: Mapping[str, int | None]
    ) -> dict[str, float | None]:
        """Accuracy by column, in percent; what is not `taken` is wrong."""
        right, count = Counter[str](), Counter[str]()
        for name, choice in key.items():
            columns = (*choice.columns, self.columns[-1])
            count.update(columns)
            if taken.get(name) == choice.answer:
                right.update(columns)
        return {column: self.percent(right[column], count[column]) for column in self.columns}


def read_strictly(said: Said, count: int) -> int | None:
    """The option that was said: an index as it is, a text by its one option letter."""
    if isinstance(said, int):
        return said if 0 <= said < count else None
    return None if said is None else read_option(said, count)


def _as_stored(said: Said, count: int) -> int | None:
    """The option that a script stored: an index, or nothing but the letter."""
    if isinstance(said, str):
        said = LETTERS.find(said.strip()) if len(said.strip()) == 1 else -1
    return said if said is not None and 0 <= said < count else None


def _refuse_numbers(path: Path, answers: Collection[Said]) -> None:
    """A file of nothing but numbers is no model that got everything wrong."""
    if answers and all(str(said).strip().isdigit() for said in answers):
        raise PredictionError(
            f"{path}: every prediction is a number, and nothing says which option is the first",
            hint="Where 0 is A, call the field pred_idx; else write letters.",
        )


def _stored_answers(path: Path, found: Predictions) -> dict[str, Said]:
    answers = found.stored or found.said
    if not any(_as_stored(said, len(LETTERS)) is not None for said in answers.values()):
        raise PredictionError(
            f"{path} stores no option for any question, only texts",
            hint="Without --stored the option is read from each text.",
        )
    return answers
