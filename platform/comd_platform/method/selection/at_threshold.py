"""What the measures share that call difficult what scores tau or more."""

from __future__ import annotations

from collections.abc import Mapping

from comd_platform.method.sampling import Candidate, balanced_selection
from comd_platform.method.selection.measure import Rule, Source


def at_threshold(scores: Mapping[str, float], rule: Rule) -> list[Source]:
    """Every key whose score, in [0, 1], reaches tau, and as many of the others (section 3.3.3)."""
    chosen = balanced_selection(
        [Candidate(key, score) for key, score in scores.items()],
        rule.threshold,
        rule.seed,
        rule.max_sources,
        rule.easy_share,
    )
    return [Source(each.key, each.band, scores[each.key]) for each in chosen]
