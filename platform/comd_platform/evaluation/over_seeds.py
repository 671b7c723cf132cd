"""Numbers over seeds: mean and spread, and paired differences with the same seeds on both sides.

A seed is the unit here. Whether one checkpoint beats another on the same items is another question;
its unit is the item.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True, slots=True)
class Spread:
    """`sd` is the sample's (n - 1); None for a single value."""

    n: int
    mean: float
    sd: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Paired differences over the seeds both have: mean, sample sd, 95 % interval, t test.

    wins, ties: seeds where the difference is above 0, or is 0. With one seed there is a mean only;
    with no spread at all t and p are None, since the test does not hold there.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    t: float | None
    p: float | None
    wins: int
    ties: int


def spread(values: Sequence[float]) -> Spread:
    """Raises ValueError where there are no values."""
    if not values:
        raise ValueError("there are no values to average")
    return Spread(len(values), fmean(values), stdev(values) if len(values) > 1 else None)


def paired(values: Mapping[int, float], baseline: Mapping[int, float]) -> Difference | None:
    """`values` minus `baseline`, by seed; None where they have no seed in common.

    Student's t, two-sided, n - 1 degrees of freedom.
    """
    seeds = sorted(values.keys() & baseline.keys())
    if not seeds:
        return None
    differences = [values[seed] - baseline[seed] for seed in seeds]
    n, mean = len(differences), fmean(differences)
    wins = sum(each > 0 for each in differences)
    ties = sum(each == 0 for each in differences)
    if n == 1:
        return Difference(n, mean, None, None, None, None, None, wins, ties)
    sd = stdev(differences)
    error = sd / math.sqrt(n)
    if error == 0:
        return Difference(n, mean, sd, mean, mean, None, None, wins, ties)
    from scipy.stats import t as student  # half a second that nobody else should pay for

    half = float(student.ppf(0.975, n - 1)) * error
    statistic = mean / error
    p = float(2 * student.sf(abs(statistic), n - 1))
    return Difference(n, mean, sd, mean - half, mean + half, statistic, p, wins, ties)
