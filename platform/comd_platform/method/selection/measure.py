"""What a selection measure is: a pure function from what is known to the sources of the next pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

SourceBand = Literal["difficult", "easy", "random"]
Need = Literal["judgements", "logprobs", "nothing"]


@dataclass(frozen=True, slots=True)
class Assessed:
    """What is known of an instruction of the cache pool; None where nobody asked or could tell.

    teacher_score, student_score: means over both orders, 1 to 10. mean_logprob: what the student
    thought of its own answer, nats a token, at most 0.
    """

    key: str
    teacher_score: float | None = None
    student_score: float | None = None
    mean_logprob: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """How to choose: tau in [0, 1], easy ones per difficult one, the most sources, the seed."""

    threshold: float
    easy_share: float
    max_sources: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class Source:
    """An instruction the augmentor starts from, why, and by which score (None: by none)."""

    key: str
    band: SourceBand
    score: float | None


@dataclass(frozen=True, slots=True)
class Measure:
    """needs: judgements (answer, judge and assess run), logprobs (the student answers and weighs its
    own answers), or nothing (neither). select: None means that no new pool is grown at all."""

    needs: Need
    select: Callable[[Sequence[Assessed], Rule], list[Source]] | None
