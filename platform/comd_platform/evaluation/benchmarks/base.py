"""What a benchmark is: its questions, how an answer is read, and the columns that it reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from comd_platform.errors import ComdError


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


class Benchmark(ABC):
    """One benchmark. Stateless: everything it knows of a model is handed to it."""

    kind: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    """The names of its scores, as in the paper's table, the average last."""
    decimals: ClassVar[int] = 2
    """Of the percentages, as in the paper's table."""

    @abstractmethod
    def score_file(self, questions: Path | None, predictions: Path, *, stored: bool) -> FileReport:
        """Score a file that some script left. `stored`: by what that script read, as it stands.

        Raises QuestionsError, UnreadableFile or PredictionError.
        """

    def percent(self, part: float, whole: float) -> float | None:
        """`part` of `whole` as the paper's table prints it; None where there is no whole."""
        return round(100 * part / whole, self.decimals) if whole else None
