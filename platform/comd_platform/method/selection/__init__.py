"""The registry of selection measures: one file each, one line here.

A measure says which instructions of the cache pool the augmentor starts from. Another one is a file
with a `Measure` in it and a line below; `tests/platform/method/test_selection_measures.py` picks it up.
"""

from __future__ import annotations

from comd_platform.method.selection import (
    competitive,
    everything,
    no_selection,
    random_sample,
    regret,
    uncertainty,
)
from comd_platform.method.selection.measure import Assessed, Measure, Rule, Source

MEASURES: dict[str, Measure] = {
    "competitive": competitive.MEASURE,
    "regret": regret.MEASURE,
    "uncertainty": uncertainty.MEASURE,
    "random": random_sample.MEASURE,
    "all": everything.MEASURE,
    "none": no_selection.MEASURE,
}

__all__ = ["MEASURES", "Assessed", "Measure", "Rule", "Source"]
