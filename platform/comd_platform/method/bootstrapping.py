"""What an augmentor is asked for about a picture to which nobody has written an instruction yet.

The paper starts from LLaVA-80K. Where there are only pictures, its first pool is written the way its
later ones are: by the augmentor, one instruction a request, kept where ROUGE-L finds it new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from comd_platform.method.task_types import COMPLEX, CONVERSATION, DETAIL, MULTIPLE_CHOICE

ASKS: Final[Mapping[str, str]] = {
    CONVERSATION: "Write a question about what can be seen: which objects there are, how many, "
    "where, of which colour, or what somebody is doing.",
    DETAIL: "Write a request to describe the picture, or one part of it, in detail.",
    COMPLEX: "Write a question that takes several steps of thought about what can be seen: why it "
    "is so, what came before, what may come next, or what somebody should watch out for.",
    MULTIPLE_CHOICE: "Write a question with four options, A. to D., each on a line of its own, of "
    "which exactly one is right.",
}
"""comd's own words for LLaVA's task types."""


def expand(requests: Iterable[tuple[str, str | None, int]]) -> list[tuple[str, str]]:
    """(task type, text) of every request about one picture, from (task type, words, how many).

    Where several of a kind are wanted the later ones say so, since a greedy augmentor would write
    the same again. Raises KeyError for a task type without words.
    """
    expanded = []
    for task_type, words, count in requests:
        ask = words if words is not None else ASKS[task_type]
        expanded.append((task_type, ask))
        expanded += [
            (
                task_type,
                f"{ask} Other people have asked {number - 1} before: choose something else.",
            )
            for number in range(2, count + 1)
        ]
    return expanded
