"""competitive: what teacher and student disagree on, or both fail at (eq. 6); the paper's measure."""

from __future__ import annotations

from collections.abc import Sequence

from comd_platform.method.difficulty import difficulty
from comd_platform.method.selection.at_threshold import at_threshold
from comd_platform.method.selection.measure import Assessed, Measure, Rule, Source


def select(assessed: Sequence[Assessed], rule: Rule) -> list[Source]:
    """Every instruction with S >= tau and as many easy ones; the unscored are left out."""
    scores = {
        each.key: difficulty(each.teacher_score, each.student_score)
        for each in assessed
        if each.teacher_score is not None and each.student_score is not None
    }
    return at_threshold(scores, rule)


MEASURE = Measure(needs="judgements", select=select)
