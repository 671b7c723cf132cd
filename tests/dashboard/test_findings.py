"""The sentences above the charts say what their rows say."""

from __future__ import annotations

import pytest

from comd_dashboard import findings
from comd_platform.evaluation.statistics import Interval
from comd_platform.method.sampling import Quota
from comd_platform.reports.against_teacher import HeldOutRow, OutcomeRow, TypeRow
from comd_platform.reports.difficulty import Bands, StandingRow, TaskTypeRow
from comd_platform.reports.evaluations import ScoreRow
from comd_platform.reports.judge import ScoreCount, SlotScore
from comd_platform.reports.planning import NextPool
from comd_platform.reports.pools import FunnelRow, PoolRow, RejectionRow


def test_pools() -> None:
    rows = [PoolRow(1, False, 3000, 3000), PoolRow(2, False, 1000, 4000)]
    assert findings.growth(rows) == (
        "The cache pool grew from 3,000 to 4,000 instructions in 2 iterations"
    )
    assert "has not grown" in findings.growth(rows[:1])
    row = FunnelRow(2, "difficult", 100, 100, 99, 80, 75)
    assert findings.funnel([row]) == (
        "80 % of 100 sources became a new instruction, and 5 of those are not trained on"
    )
    rejected = findings.rejections([RejectionRow(2, "not_diverse", 9, 0.09)])
    assert rejected == "9 % of the augmentor's replies were rejected, most often as “not diverse”"


def test_difficulty() -> None:
    assert findings.difficulty(Bands(25, 75, 3), 0.33) == (
        "At τ = 0.33, 25 of 100 instructions are difficult (25 %)"
    )
    rows = [StandingRow("student behind", 8, 0.08), StandingRow("both weak", 2, 0.02)]
    rows.append(StandingRow("easy", 90, 0.9))
    assert findings.standings(rows).endswith("the student is behind its teacher: 80 %")
    assert findings.standings(rows[2:]) == "Nothing is difficult at this threshold"
    types = [
        TaskTypeRow("look", 1, 9, 0, 0.1, 0.2, 8, 8),
        TaskTypeRow("count", 4, 6, 0, 0.4, 0.3, 8, 6),
    ]
    assert findings.task_types(types).startswith("“count” is the most difficult task type (40 %)")
    assert findings.task_types([types[0], types[0]]).startswith("Every task type is equally")
    assert findings.task_types(types[:1]) == "There is one task type"


@pytest.mark.parametrize(
    ("selection", "pool", "told"),
    [
        (
            "competitive",
            NextPool(25, 75, Quota(25, 25), None, 0.8, 40, True),
            "The next pool would start from 25 difficult and 25 easy ones; about 40 new "
            "instructions would come of them, at the 80 % that were accepted last.",
        ),
        (
            "competitive",
            NextPool(25, 75, Quota(5, 5), 10, None, None, True),
            "The next pool would start from 5 difficult and 5 easy ones (the most that "
            "method.max_new allows: 10).",
        ),
        (
            "regret",
            NextPool(1, 2, Quota(1, 1), None, None, None, False),
            "The next pool would start from 1 where the teacher did better and 1 easy ones. That is "
            "less than method.minimum_pool: the run would stop, or fill up.",
        ),
        (
            "random",
            NextPool(1, 2, Quota(0, 3), None, None, None, True),
            "This run would draw 3 sources at random, whatever τ is.",
        ),
        ("none", None, "This run grows no pool: every iteration trains on the seed pool."),
    ],
)
def test_the_next_pool(selection: str, pool: NextPool | None, told: str) -> None:
    assert findings.next_pool(pool, selection) == told


def test_the_judge() -> None:
    slots = [SlotScore("teacher", "first", 8.0)]
    assert findings.slots(slots, 0.5) == "Standing first is worth 0.50 points on average"
    assert findings.slots(slots, -0.5) == "Standing second is worth 0.50 points on average"
    assert "does not care" in findings.slots(slots, 0.01)
    counts = [ScoreCount("teacher", 9, 3), ScoreCount("teacher", 2, 1), ScoreCount("student", 1, 0)]
    assert (
        findings.scale_use(counts)
        == "75 % of all scores are 9 or more, and 2 of 10 scores are used"
    )
    assert findings.scale_use([]) == "No score could be read"


def test_progress() -> None:
    rows = [
        OutcomeRow(number, False, "loss", 1, Interval(loss, 0, 1))
        for number, loss in ((1, 0.75), (2, 0.25))
    ]
    assert findings.outcomes(rows) == (
        "The student holds its own on 75 % of the cache pool after iteration 2 (25 % after 1)"
    )
    types = [TypeRow(2, "look", 9, 8, 8, 0.9), TypeRow(2, "count", 9, 5, 8, 0.4)]
    assert findings.type_matrix([types[0], types[0]]).endswith("on 90 % of every task type")
    assert findings.type_matrix(types).endswith("weakest on “count”: it holds its own on 40 %")


@pytest.mark.parametrize(
    ("difference", "error", "told"),
    [
        (None, None, "“quiz”: 61.0 % after iteration 2"),
        (-0.1, 0.01, "“quiz”: 61.0 % after iteration 2, 10.0 ± 2.0 points below the teacher"),
        (0.1, 0.01, "“quiz”: 61.0 % after iteration 2, 10.0 ± 2.0 points above the teacher"),
        (
            -0.01,
            0.01,
            "“quiz”: 61.0 % after iteration 2, not to be told apart from the teacher (\u22121.0 points)",
        ),
    ],
)
def test_held_out(difference: float | None, error: float | None, told: str) -> None:
    rows = [ScoreRow("quiz", "student", 2, False, 100, 0.61, 0.05)]
    against = [] if difference is None else [HeldOutRow("quiz", 2, 100, 1, 2, difference, error)]
    assert findings.held_out(rows, against, "quiz") == told
    assert findings.held_out([], [], "quiz") == "No student has been scored on “quiz” yet"
