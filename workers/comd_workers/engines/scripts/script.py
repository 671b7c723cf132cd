"""What a script is: a pure function of one line of the play."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One request as a script sees it.

    image: the first picture's file name without its directory, "" for none.
    seed: the request's, or 0 when decoding is greedy.
    model: the name of the weights that the engine pretends to hold.
    """

    text: str
    image: str
    seed: int
    model: str
    options: Mapping[str, Any]


Script = Callable[[Line], str]


def chance(*parts: str | int) -> float:
    """A number in [0, 1) that depends on the parts alone, the same on every machine."""
    return int.from_bytes(_digest(*parts)[:7], "big") / 2**56


def pick(choices: tuple[str, ...], *parts: str | int) -> str:
    """One of the choices, by the parts alone."""
    return choices[int(chance(*parts) * len(choices))]


def tag(*parts: str | int) -> str:
    """Eight hexadecimal digits that stand for the parts."""
    return _digest(*parts).hex()[:8]


def _digest(*parts: str | int) -> bytes:
    joined = "".join(f"{len(str(part))}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).digest()
