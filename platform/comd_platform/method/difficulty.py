"""Difficulty of an instruction for the student (section 3.3.2, eq. 6), and the judge's scale."""

from __future__ import annotations

import math

SCORE_MIN = 1.0
SCORE_MAX = 10.0


def clamp_score(score: float) -> tuple[float, bool]:
    """Return `score` moved into the judge's scale [1, 10], and whether it had to be moved.

    Raises:
        ValueError: if `score` is not a number (NaN), which no judge can have written.
    """
    if math.isnan(score):
        raise ValueError("a score must be a number, not NaN")
    clamped = min(max(float(score), SCORE_MIN), SCORE_MAX)
    return clamped, clamped != score


def difficulty(teacher: float, student: float) -> float:
    """Return S = (|R_s - R_t| + 1) / max(R_s, R_t), eq. 6, a number in (0, 1].

    `teacher` and `student` are R_t and R_s in [1, 10]. Symmetric: an instruction on which the
    student beats the teacher is as difficult as the reverse. Two low scores are difficult as well
    (1, 1 gives 1.0: both failed), two high ones easy (9, 9 gives 0.11).

    Raises:
        ValueError: if a score lies outside [1, 10] or is NaN.
    """
    for role, score in (("teacher", teacher), ("student", student)):
        if not SCORE_MIN <= score <= SCORE_MAX:
            raise ValueError(f"the {role}'s score must lie in [1, 10], got {score!r}")
    return (abs(student - teacher) + 1.0) / max(student, teacher)
