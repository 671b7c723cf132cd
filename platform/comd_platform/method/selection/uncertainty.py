"""uncertainty: where the student doubts its own answer; needs no judge and no teacher."""

from __future__ import annotations

import math
from collections.abc import Sequence

from comd_platform.method.selection.at_threshold import at_threshold
from comd_platform.method.selection.measure import Assessed, Measure, Rule, Source


def doubt(mean_logprob: float) -> float:
    """1 - exp(mean log-probability): 0 where every token of the answer was certain, below 1.

    exp(mean) is the geometric mean of the tokens' probabilities, so that long answers are not
    doubtful for their length. Rounding may put a log-probability a hair above 0; it counts as 0.
    """
    return 1.0 - math.exp(min(0.0, mean_logprob))


def select(assessed: Sequence[Assessed], rule: Rule) -> list[Source]:
    """Difficult where the doubt is tau or more, and as many easy ones."""
    scores = {
        each.key: doubt(each.mean_logprob) for each in assessed if each.mean_logprob is not None
    }
    return at_threshold(scores, rule)


MEASURE = Measure(needs="logprobs", select=select)
