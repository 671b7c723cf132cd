"""The raw results as the page reads them: numbers by arm and seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comd_platform.evaluation.over_seeds import Difference, Spread, paired, spread


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a held-out test: all of it (`score`), or one group such as `class=look`."""

    title: str
    test: str
    group: str = "score"


TAIL = Measure("tail facts", "balanced", "class=knowledge")
BALANCED = Measure("balanced", "balanced")
NATURAL = Measure("natural", "natural")
LOOK = Measure("look", "balanced", "class=look")
FAMOUS = Measure("famous", "natural", "third=common")
MEASURES = (TAIL, BALANCED, NATURAL, LOOK, FAMOUS)


class Results:
    """One file of raw results."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.seeds: list[int] = document["seeds"]
        self._scores = {
            (row["arm"], row["seed"], row["iteration"], row["test"], row["who"]): row
            for row in document["scores"]
        }
        self.last = max(row["iteration"] for row in document["iterations"])
        self.titles: dict[str, str] = {
            arm["name"]: self._title(arm["name"], arm["title"]) for arm in document["arms"]
        }

    @classmethod
    def read(cls, path: Path) -> Results:
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def _title(self, arm: str, title: str) -> str:
        """With the number of seeds where some are missing."""
        played = len(self.by_seed(arm, BALANCED))
        return title if played == len(self.seeds) else f"{title} ({played} seeds only)"

    def by_seed(self, arm: str, measure: Measure, iteration: int | None = None) -> dict[int, float]:
        """The student's score by seed, after the last iteration unless another is named."""
        number = self.last if iteration is None else iteration
        found = {}
        for seed in self.seeds:
            row = self._scores.get((arm, seed, number, measure.test, "student"))
            if row is not None and measure.group in row:
                found[seed] = float(row[measure.group])
        return found

    def spread(self, arm: str, measure: Measure, iteration: int | None = None) -> Spread | None:
        """None where the arm has not come so far."""
        values = list(self.by_seed(arm, measure, iteration).values())
        return spread(values) if values else None

    def difference(self, arm: str, baseline: str, measure: Measure) -> Difference | None:
        """Paired by seed, after the last iteration."""
        return paired(self.by_seed(arm, measure), self.by_seed(baseline, measure))

    def reference(self, who: str, measure: Measure) -> float | None:
        """Teacher or untuned student: the same in every run."""
        for (_, _, _, test, found), row in self._scores.items():
            if (test, found) == (measure.test, who) and measure.group in row:
                return float(row[measure.group])
        return None

    def groups(self, test: str, label: str) -> list[str]:
        """The values of a label in a test, in the order of the alphabet."""
        prefix = f"{label}="
        keys = {key for row in self.document["scores"] if row["test"] == test for key in row}
        return sorted(key.removeprefix(prefix) for key in keys if key.startswith(prefix))

    def iterations(self, arm: str) -> Sequence[Mapping[str, Any]]:
        """Pools and training of an arm, of every seed and iteration."""
        return [row for row in self.document["iterations"] if row["arm"] == arm]

    def truth(self, arm: str) -> Sequence[Mapping[str, Any]]:
        """The assessor and the flags against the truth, of every seed and iteration."""
        return [row for row in self.document["truth"] if row["arm"] == arm]
