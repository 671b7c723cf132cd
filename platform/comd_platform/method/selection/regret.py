"""regret: what the teacher does better than the student, and nothing else (as in Lion)."""

from __future__ import annotations

from collections.abc import Sequence

from comd_platform.method.bands import Band
from comd_platform.method.sampling import balance
from comd_platform.method.selection.measure import Assessed, Measure, Rule, Source


def select(assessed: Sequence[Assessed], rule: Rule) -> list[Source]:
    """Difficult where teacher − student > 0, and as many of the others; tau plays no part.

    Unlike eq. 6 it passes over what both fail at and what the student does better: neither can be
    learned from this teacher. The score is the difference, 0 where there is none.
    """
    scores = {
        each.key: max(0.0, each.teacher_score - each.student_score)
        for each in assessed
        if each.teacher_score is not None and each.student_score is not None
    }
    bands: dict[str, Band] = {
        key: "difficult" if score > 0 else "easy" for key, score in scores.items()
    }
    chosen = balance(bands, rule.seed, rule.max_sources, rule.easy_share)
    return [Source(each.key, each.band, scores[each.key]) for each in chosen]


MEASURE = Measure(needs="judgements", select=select)
