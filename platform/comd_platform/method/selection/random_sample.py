"""random: a seeded sample of the cache pool; the baseline that every claim of targeting needs."""

from __future__ import annotations

from collections.abc import Sequence

from comd_platform.method.sampling import random_selection
from comd_platform.method.selection.measure import Assessed, Measure, Rule, Source


def select(assessed: Sequence[Assessed], rule: Rule) -> list[Source]:
    """`max_sources` of them; all where there is no cap."""
    keys = random_selection([each.key for each in assessed], rule.seed, rule.max_sources)
    return [Source(key, "random", None) for key in keys]


MEASURE = Measure(needs="nothing", select=select)
