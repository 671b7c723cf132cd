"""all: every instruction of the cache pool is a source; augmentation without any selection."""

from __future__ import annotations

from collections.abc import Sequence

from comd_platform.method.selection.measure import Assessed, Measure, Rule, Source


def select(assessed: Sequence[Assessed], _rule: Rule) -> list[Source]:
    """All of them, in the order of their keys; `max_new` caps what is kept, not what is written.

    At equal budget `random` draws from the same distribution and writes far less.
    """
    return [Source(key, "random", None) for key in sorted(each.key for each in assessed)]


MEASURE = Measure(needs="nothing", select=select)
