"""How difficult the cache pool was for an iteration's student (eq. 6): sums over score cells.

Pure: `reports.cells.score_cells` has read them, and another threshold is another sum.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from comd_platform.method.bands import Band, band, check_threshold
from comd_platform.method.difficulty import difficulty
from comd_platform.reports.cells import ScoreCell

Standing = Literal["student behind", "student ahead", "both weak", "easy"]
STANDINGS: tuple[Standing, ...] = ("student behind", "both weak", "student ahead", "easy")

MAP_STEP = 0.5
"""The grid of the score map: the mean of two orders of whole numbers falls on it."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Instructions by band at some threshold."""

    difficult: int
    easy: int
    unscored: int

    @property
    def scored(self) -> int:
        return self.difficult + self.easy

    @property
    def difficult_share(self) -> float | None:
        """Of the scored; None where nothing is."""
        return self.difficult / self.scored if self.scored else None


@dataclass(frozen=True, slots=True)
class DifficultyBin:
    """Instructions with difficulty in [low, high), the last bin closed; all of one band."""

    low: float
    high: float
    band: Band
    instructions: int


@dataclass(frozen=True, slots=True)
class TaskTypeRow:
    """One task type of the cache pool. The means are over its scored instructions."""

    task_type: str
    difficult: int
    easy: int
    unscored: int
    difficult_share: float | None
    difficulty: float | None
    teacher_score: float | None
    student_score: float | None


@dataclass(frozen=True, slots=True)
class MapCell:
    """Instructions whose two scores round to `teacher` and `student`, multiples of MAP_STEP.

    The ranges hold the scores themselves, both ends included; `difficulty` is the mean over them.
    """

    teacher: float
    student: float
    teacher_range: tuple[float, float]
    student_range: tuple[float, float]
    difficulty: float
    difficult: int
    instructions: int


@dataclass(frozen=True, slots=True)
class StandingRow:
    """How many instructions stand in one way, and their share of the scored ones."""

    standing: Standing
    instructions: int
    share: float


def bands(cells: Iterable[ScoreCell], threshold: float) -> Bands:
    """How many are difficult at `threshold` (tau in [0, 1]). Raises ValueError outside it."""
    check_threshold(threshold)
    found = {"difficult": 0, "easy": 0, "unscored": 0}
    for cell in cells:
        found[_band(cell, threshold)] += cell.instructions
    return Bands(**found)


def histogram(
    cells: Iterable[ScoreCell], threshold: float, *, bins: int = 20
) -> list[DifficultyBin]:
    """Counts by bin and band; the bin that the threshold cuts has a row for each band.

    Empty bins have no row, and neither have the unscored.
    """
    counted: dict[tuple[int, Band], int] = defaultdict(int)
    for cell in cells:
        if cell.difficulty is not None:
            place = min(math.floor(cell.difficulty * bins), bins - 1)
            counted[place, band(cell.difficulty, threshold)] += cell.instructions
    return [
        DifficultyBin(place / bins, (place + 1) / bins, found, instructions)
        for (place, found), instructions in sorted(counted.items())
    ]


def bands_by_task_type(cells: Iterable[ScoreCell], threshold: float) -> list[TaskTypeRow]:
    """Bands and mean scores by task type, the most frequent type first."""
    by_type: dict[str, list[ScoreCell]] = defaultdict(list)
    for cell in cells:
        by_type[cell.task_type].append(cell)
    told = [_task_type(name, found, threshold) for name, found in by_type.items()]
    return sorted(told, key=lambda row: (-(row.difficult + row.easy + row.unscored), row.task_type))


def score_map(cells: Iterable[ScoreCell], threshold: float) -> list[MapCell]:
    """The scored instructions on a grid of the teacher's and the student's score."""
    on_grid: dict[tuple[float, float], list[ScoreCell]] = defaultdict(list)
    for cell in cells:
        if cell.teacher_score is not None and cell.student_score is not None:
            on_grid[_grid(cell.teacher_score), _grid(cell.student_score)].append(cell)
    return [_map_cell(place, found, threshold) for place, found in sorted(on_grid.items())]


def standings(cells: Iterable[ScoreCell], threshold: float) -> list[StandingRow]:
    """Why instructions are difficult, in the order of STANDINGS; all four, also where there are none.

    both weak: it would be difficult even if both had the better score (1 / max >= tau), as where
    both failed; else the difference makes it so, and the student is behind or ahead.
    """
    counted = dict.fromkeys(STANDINGS, 0)
    for cell in cells:
        standing = standing_of(cell, threshold)
        if standing is not None:
            counted[standing] += cell.instructions
    total = sum(counted.values())
    return [
        StandingRow(standing, number, number / total if total else 0.0)
        for standing, number in counted.items()
    ]


def standing_of(cell: ScoreCell, threshold: float) -> Standing | None:
    """What makes a cell difficult, or that it is easy; None where it is unscored."""
    if cell.teacher_score is None or cell.student_score is None:
        return None
    return standing_at(cell.teacher_score, cell.student_score, threshold)


def standing_at(teacher: float, student: float, threshold: float) -> Standing:
    """The same of two scores in [1, 10]."""
    if band(difficulty(teacher, student), threshold) == "easy":
        return "easy"
    if 1 / max(teacher, student) >= threshold:
        return "both weak"
    return "student behind" if student < teacher else "student ahead"


def mean_score(cells: Iterable[ScoreCell], who: Literal["teacher", "student"]) -> float | None:
    """The mean over the scored instructions, in [1, 10]; None where nothing is scored."""
    return _mean(
        (cell.teacher_score if who == "teacher" else cell.student_score, cell.instructions)
        for cell in cells
    )


def _band(cell: ScoreCell, threshold: float) -> Literal["difficult", "easy", "unscored"]:
    return "unscored" if cell.difficulty is None else band(cell.difficulty, threshold)


def _grid(score: float) -> float:
    """Rounded half up, so that neighbours are equally wide."""
    return math.floor(score / MAP_STEP + 0.5) * MAP_STEP


def _map_cell(place: tuple[float, float], cells: Sequence[ScoreCell], threshold: float) -> MapCell:
    teacher = [cell.teacher_score for cell in cells if cell.teacher_score is not None]
    student = [cell.student_score for cell in cells if cell.student_score is not None]
    mean = _mean((cell.difficulty, cell.instructions) for cell in cells)
    assert mean is not None  # only scored cells are on the grid
    return MapCell(
        teacher=place[0],
        student=place[1],
        teacher_range=(min(teacher), max(teacher)),
        student_range=(min(student), max(student)),
        difficulty=mean,
        difficult=bands(cells, threshold).difficult,
        instructions=sum(cell.instructions for cell in cells),
    )


def _task_type(name: str, cells: Sequence[ScoreCell], threshold: float) -> TaskTypeRow:
    found = bands(cells, threshold)
    return TaskTypeRow(
        task_type=name,
        difficult=found.difficult,
        easy=found.easy,
        unscored=found.unscored,
        difficult_share=found.difficult_share,
        difficulty=_mean((cell.difficulty, cell.instructions) for cell in cells),
        teacher_score=mean_score(cells, "teacher"),
        student_score=mean_score(cells, "student"),
    )


def _mean(weighted: Iterable[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in weighted if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None
