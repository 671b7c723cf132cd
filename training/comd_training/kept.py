"""A memory of bounded size for what several passes over the same dialogues need again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Keeps what comes first until `budget` bytes are full; what comes later is made each time.

    Not a least-recently-used cache: passes visit everything in turn, and where not all of it fits,
    such a cache has thrown out just what comes next.
    """

    def __init__(self, budget: int) -> None:
        self._left = budget
        self._values: dict[Hashable, Value] = {}

    def get(self, key: Hashable, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """The value of `key`; made, and kept if its `size` in bytes still fits, the first time."""
        found = self._values.get(key)
        if found is None:
            found = make()
            needed = size(found)
            if needed <= self._left:
                self._left -= needed
                self._values[key] = found
        return found
