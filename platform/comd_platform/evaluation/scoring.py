"""What an answer is worth, and how sure a mean of such scores is. Pure functions.

A metric takes the prediction and one accepted answer and gives a score from 0 to 1; an item's score
is the best over its accepted answers. Another metric is a function and a line in METRICS.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Final

Metric = Callable[[str, str], float]

_ARTICLES = frozenset({"a", "an", "the"})
Z_95: Final = 1.959963984540054


def exact(prediction: str, answer: str) -> float:
    """1.0 when the two are the same but for white space around them, else 0.0."""
    return float(prediction.strip() == answer.strip())


def normalized(prediction: str, answer: str) -> float:
    """1.0 when the two are the same after `normalize`, else 0.0."""
    return float(normalize(prediction) == normalize(answer))


def contains(prediction: str, answer: str) -> float:
    """1.0 when the answer's words stand in the prediction, in one piece and in order, else 0.0."""
    return float(f" {normalize(answer)} " in f" {normalize(prediction)} ")


METRICS: Final[Mapping[str, Metric]] = {
    "exact": exact,
    "normalized": normalized,
    "contains": contains,
}


def score(metric: str, prediction: str, answers: Sequence[str]) -> float:
    """The prediction's score, 0 to 1: the best over the accepted `answers`.

    Raises ValueError for an unknown metric and for an item without accepted answers.
    """
    if metric not in METRICS:
        raise ValueError(f"there is no metric {metric!r}; known: {', '.join(METRICS)}")
    if not answers:
        raise ValueError("an item without accepted answers cannot be scored")
    return max(METRICS[metric](prediction, answer) for answer in answers)


def normalize(text: str) -> str:
    """Lower case, without punctuation, articles and superfluous white space.

    A point or comma between digits stays, so that 1.5 is not 15. Where nothing but articles is left
    ("A" as a choice's letter), they stay: no answer becomes empty because of them.

    >>> normalize("The  cat's name: Olaf.")
    'cats name olaf'
    >>> normalize("A.")
    'a'
    """
    folded = _compose(_compose(text).casefold())
    kept = "".join(_letter(folded, place) for place in range(len(folded)))
    words = _compose(kept).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def standard_error(scores: Sequence[float]) -> float:
    """The standard error of the mean of `scores`: sample deviation over root n; NaN below two."""
    count = len(scores)
    if count < 2:
        return math.nan
    mean = math.fsum(scores) / count
    squares = math.fsum((value - mean) ** 2 for value in scores)
    return math.sqrt(squares / (count - 1) / count)


def wilson_interval(mean: float, count: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a proportion, which stays sensible near 0 and 1 and for few items.

    `mean` is the share of successes in `count` trials; `z` 1.96 gives 95 %. Raises ValueError for a
    mean outside [0, 1] or a count below 1.
    """
    if count < 1 or not 0 <= mean <= 1:
        raise ValueError(f"no interval for a share of {mean} among {count}")
    shrink = 1 + z * z / count
    centre = (mean + z * z / (2 * count)) / shrink
    half = z / shrink * math.sqrt(mean * (1 - mean) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def _compose(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _letter(text: str, place: int) -> str:
    """What is left of the character at `place`: itself, a blank, or nothing."""
    character = text[place]
    if character in "-/_" or character.isspace():
        return " "
    if unicodedata.category(character)[0] not in "PC":
        return character
    # Slices, since a mark at either end of the text has no neighbour there.
    between_digits = (
        text[max(place - 1, 0) : place].isdecimal() and text[place + 1 : place + 2].isdecimal()
    )
    return character if character in ".," and between_digits else ""
