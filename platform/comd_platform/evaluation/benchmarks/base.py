"""What a benchmark is: its questions, how an answer is read, and the columns that it reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from comd_platform.errors import ComdError
from comd_platform.evaluation.item import Item


class QuestionsError(ComdError):
    """A benchmark's questions that cannot be read."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """The scores of a file of predictions, in percent; None where a column has no question.

    n: questions that count. unreadable: predictions in which no answer can be read. duplicates: rows
    that a later one with the same id took the place of. missing: questions without a prediction.
    unknown: predictions for ids that are no questions here.
    """

    benchmark: str
    scores: dict[str, float | None]
    n: int
    unreadable: int
    duplicates: int
    missing: int
    unknown: int
    extraction: str


@dataclass(frozen=True, slots=True)
class Result:
    """A model on one item: `score` 0 to 1; `reference` that of the answer beside it, else 1."""

    groups: Mapping[str, str]
    score: float
    reference: float = 1.0


class Benchmark(ABC):
    """One benchmark. Stateless: everything it knows of a model is handed to it."""

    kind: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    """The names of its scores, as in the paper's table, the average last."""
    decimals: ClassVar[int] = 2
    """Of the percentages, as in the paper's table."""
    metrics: ClassVar[tuple[str, ...]]
    """How its answers can be asked for and scored (`evaluation.grading`), the usual way first."""
    temperature: ClassVar[float | None] = None
    """Of the models that answer, as in the paper's section 4.1.3; None: as the run's config says."""
    max_new_tokens: ClassVar[int | None] = None

    @abstractmethod
    def read_items(self, path: Path, metric: str) -> Iterator[Item]:
        """Its questions as items, each worded as `metric` asks it.

        Raises QuestionsError, UnreadableFile or ImportFailed.
        """

    @abstractmethod
    def score_file(self, questions: Path | None, predictions: Path, *, stored: bool) -> FileReport:
        """Score a file that some script left. `stored`: by what that script read, as it stands.

        Raises QuestionsError, UnreadableFile or PredictionError.
        """

    def percent(self, part: float, whole: float) -> float | None:
        """`part` of `whole` as the paper's table prints it; None where there is no whole."""
        return round(100 * part / whole, self.decimals) if whole else None

    def report(self, results: Iterable[Result]) -> dict[str, float | None]:
        """The columns of the paper's table, from what a model made of each item."""
        score: dict[str, float] = defaultdict(float)
        reference: dict[str, float] = defaultdict(float)
        for result in results:
            for column in (*self.columns_of(result.groups), self.columns[-1]):
                score[column] += result.score
                reference[column] += result.reference
        return {column: self.percent(score[column], reference[column]) for column in self.columns}

    def columns_of(self, groups: Mapping[str, str]) -> tuple[str, ...]:
        """The columns that an item counts in, the average aside; "TXT+IMG" is two."""
        named = (part for label in groups.values() for part in label.split("+"))
        return tuple(name for name in named if name in self.columns)
