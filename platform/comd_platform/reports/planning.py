"""What the next pool would be, at another threshold too: counts over score cells, as the method does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from comd_platform.config.run import MethodConfig
from comd_platform.method.bands import EASY_ONLY_THRESHOLD
from comd_platform.method.sampling import Quota, quota
from comd_platform.reports.cells import ScoreCell
from comd_platform.reports.difficulty import bands
from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class NextPool:
    """What an iteration would choose from the one before it.

    difficult, easy: how many there are; `quota`: how many of them are chosen; `cap`: the most that
    may be, None without one. `expected`: new instructions at `accepted_share` of the sources, None
    where no share is known; `enough`: whether the sources reach the run's minimum.
    """

    difficult: int
    easy: int
    quota: Quota
    cap: int | None
    accepted_share: float | None
    expected: int | None
    enough: bool


@dataclass(frozen=True, slots=True)
class _Method:
    config: dict[str, Any]


def method_config(session: Session, run_id: int) -> MethodConfig | None:
    """The method section of a run's config; None where there is no such run."""
    statement = "SELECT coalesce(config -> 'method', '{}') AS config FROM run WHERE id = :run_id"
    found = rows(session, _Method, statement, run_id=run_id)
    return MethodConfig.model_validate(found[0].config) if found else None


def next_pool(
    cells: Iterable[ScoreCell],
    method: MethodConfig,
    threshold: float,
    accepted_share: float | None = None,
) -> NextPool | None:
    """The sources that `method` would choose from one iteration's cells at `threshold`.

    None for measures that do not go by scores (`uncertainty`), or that grow no pool (`none`). What
    decontamination keeps out is still counted here. Raises ValueError for tau outside [0, 1].
    """
    cells = list(cells)
    cap = None if method.max_new is None else round(method.max_new * method.oversample)
    found = bands(cells, threshold)
    difficult, easy = found.difficult, found.easy
    match method.selection:
        case "competitive" if threshold >= EASY_ONLY_THRESHOLD:
            chosen = Quota(0, _capped(easy, cap))
        case "competitive":
            chosen = quota(difficult, easy, cap, method.easy_share)
        case "regret":
            difficult = sum(cell.instructions for cell in cells if _regretted(cell))
            easy = found.scored - difficult
            chosen = quota(difficult, easy, cap, method.easy_share)
        case "random" | "all":
            total = found.scored + found.unscored
            chosen = Quota(0, total if method.selection == "all" else _capped(total, cap))
        case _:
            return None
    expected = None
    if accepted_share is not None:
        expected = _capped(round(accepted_share * chosen.sources), method.max_new)
    enough = chosen.sources >= max(1, method.minimum_pool)
    return NextPool(difficult, easy, chosen, cap, accepted_share, expected, enough)


def _regretted(cell: ScoreCell) -> bool:
    return (
        cell.teacher_score is not None
        and cell.student_score is not None
        and cell.teacher_score > cell.student_score
    )


def _capped(number: int, cap: int | None) -> int:
    return number if cap is None else min(number, cap)
