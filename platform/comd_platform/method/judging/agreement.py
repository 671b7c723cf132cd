"""How far two raters agree, from counts of what each said: the assessor against itself, for one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping


def weighted_kappa(counts: Mapping[tuple[int, int], int]) -> float | None:
    """Cohen's kappa with quadratic weights over {(first's category, second's): how often}.

    Categories are whole numbers whose distance matters: 1 is perfect agreement, 0 what chance would
    give, below 0 is worse. None where it is undefined: no counts, or both always say the same one.
    """
    total = sum(counts.values())
    first: dict[int, int] = defaultdict(int)
    second: dict[int, int] = defaultdict(int)
    for (a, b), number in counts.items():
        first[a] += number
        second[b] += number
    observed = sum((a - b) ** 2 * number for (a, b), number in counts.items())
    expected = sum(
        (a - b) ** 2 * of_a * of_b for a, of_a in first.items() for b, of_b in second.items()
    )
    return 1 - observed * total / expected if expected else None


def correlation(weighted: Iterable[tuple[float, float, int]]) -> float | None:
    """Pearson's r of (x, y, how often); None where either does not vary, or nothing is given."""
    points = [(x, y, number) for x, y, number in weighted if number]
    total = sum(number for _, _, number in points)
    if not total:
        return None
    mean_x = math.fsum(x * number for x, _, number in points) / total
    mean_y = math.fsum(y * number for _, y, number in points) / total
    spread_x = math.fsum((x - mean_x) ** 2 * number for x, _, number in points)
    spread_y = math.fsum((y - mean_y) ** 2 * number for _, y, number in points)
    if not spread_x or not spread_y:
        return None
    both = math.fsum((x - mean_x) * (y - mean_y) * number for x, y, number in points)
    return max(-1.0, min(1.0, both / math.sqrt(spread_x * spread_y)))
