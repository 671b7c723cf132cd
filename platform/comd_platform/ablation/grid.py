"""From `--vary key=a,b` to variants: what is set, and what the branch is called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from comd_platform.errors import ComdError


class BadGrid(ComdError):
    """A `--vary` that names no values, or a key twice."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One point of the grid: `settings` are (key, value as written), in the order they were given."""

    settings: tuple[tuple[str, str], ...]

    @property
    def overrides(self) -> tuple[str, ...]:
        """As `--set` takes them."""
        return tuple(f"{key}={value}" for key, value in self.settings)

    @property
    def title(self) -> str:
        """Short, for people: the last part of each key, and its value."""
        return ", ".join(f"{key.rsplit('.', 1)[-1]}={value}" for key, value in self.settings)

    def run_name(self, base: str, seed: int) -> str:
        """The branch's name; letters, digits, dots, hyphens and underscores only."""
        said = "-".join(f"{key.rsplit('.', 1)[-1]}-{value}" for key, value in self.settings)
        return f"{base}-{re.sub(r'[^A-Za-z0-9._]+', '-', said).strip('-')}-s{seed}"


def grid(vary: Iterable[str]) -> list[Variant]:
    """Every combination of the values given. Raises BadGrid.

    `["a.b=1,2", "c=x"]` makes (a.b=1, c=x) and (a.b=2, c=x). A value that holds commas itself is
    written in brackets: `a.b=[1,2]` is one value.
    """
    axes: list[list[tuple[str, str]]] = []
    seen: set[str] = set()
    for each in vary:
        key, separator, raw = each.partition("=")
        key = key.strip()
        values = _split(raw)
        if not separator or not key or not values:
            raise BadGrid(
                f"--vary {each!r} is not of the form section.key=value,value",
                hint="For example: --vary method.difficulty_threshold=0,0.33,0.67,1",
            )
        if key in seen:
            raise BadGrid(f"--vary names {key} twice", hint="Give all its values at once: a,b,c")
        if len(set(values)) < len(values):
            raise BadGrid(f"--vary {each!r} gives a value twice")
        seen.add(key)
        axes.append([(key, value) for value in values])
    if not axes:
        raise BadGrid("nothing varies", hint="Give at least one --vary section.key=value,value")
    variants = [Variant(combination) for combination in product(*axes)]
    _check_names(variants)
    return variants


def _split(raw: str) -> list[str]:
    """At commas outside of brackets."""
    values, depth, start = [], 0, 0
    for place, letter in enumerate(raw):
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            values.append(raw[start:place].strip())
            start = place + 1
    values.append(raw[start:].strip())
    return [value for value in values if value]


def _check_names(variants: Sequence[Variant]) -> None:
    names = [variant.run_name("run", 0) for variant in variants]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise BadGrid(
            f"two variants would make branches of the same name: {', '.join(sorted(doubled))}",
            hint="Vary keys whose last part differs, or values that differ in letters and digits.",
        )
