"""Which of many: seeded samples and the balance of the two bands (section 3.3.3, "Augmenting")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from comd_platform.method.bands import EASY_ONLY_THRESHOLD, Band, band, check_threshold
from comd_platform.method.seeds import rank_key


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scored instruction: its content key and its difficulty S in [0, 1]."""

    key: str
    difficulty: float


@dataclass(frozen=True, slots=True)
class Selected:
    """A source for the augmentor, and the band it was taken from."""

    key: str
    band: Band


@dataclass(frozen=True, slots=True)
class Quota:
    """How many sources are taken from each band."""

    difficult: int
    easy: int

    @property
    def sources(self) -> int:
        return self.difficult + self.easy


def balanced_selection(
    candidates: Sequence[Candidate],
    threshold: float,
    seed: int,
    max_sources: int | None = None,
    easy_share: float = 1.0,
) -> list[Selected]:
    """Return every difficult instruction and as many easy ones (section 3.3.3), ordered by key.

    The easy ones are a seeded random sample, all of them if there are fewer. The outcome depends on
    the candidates, tau and the seed, not on the input's order. At tau = 1 ("easy only") there is
    nothing to balance against: all are chosen; at tau = 0 all are difficult.

    `max_sources` and `easy_share` are those of `balance`.

    Raises:
        ValueError: if tau or a difficulty lies outside [0, 1], a key occurs twice, or the cap or
            the share is negative.
    """
    check_threshold(threshold)
    bands = {each.key: band(each.difficulty, threshold) for each in candidates}
    _check_distinct(each.key for each in candidates)
    if threshold >= EASY_ONLY_THRESHOLD:
        _check_cap(max_sources)
        return [Selected(key, "easy") for key in sorted(_sample(list(bands), seed, max_sources))]
    return balance(bands, seed, max_sources, easy_share)


def balance(
    bands: dict[str, Band], seed: int, max_sources: int | None = None, easy_share: float = 1.0
) -> list[Selected]:
    """Return every difficult key and `easy_share` easy ones for each, ordered by key.

    easy_share: 1 is the paper's "as many easy ones", 0 is the difficult ones only.
    max_sources: caps the number chosen, for comparisons at equal budget, in the same proportion
        (half of each band at share 1, the odd one to the difficult). The balance is kept: a short
        difficult band is not filled up with easy ones; where the easy band is short the difficult
        fill the rest, as they do without a cap. A smaller cap chooses a subset of a larger one.

    Raises:
        ValueError: if the cap or the share is negative.
    """
    difficult = [key for key, found in bands.items() if found == "difficult"]
    easy = [key for key, found in bands.items() if found == "easy"]
    wanted = quota(len(difficult), len(easy), max_sources, easy_share)
    chosen = [
        *(Selected(key, "difficult") for key in _sample(difficult, seed, wanted.difficult)),
        *(Selected(key, "easy") for key in _sample(easy, seed, wanted.easy)),
    ]
    return sorted(chosen, key=lambda selected: selected.key)


def quota(
    difficult: int, easy: int, max_sources: int | None = None, easy_share: float = 1.0
) -> Quota:
    """How many of so many difficult and easy ones `balance` chooses.

    Raises:
        ValueError: if the cap or the share is negative.
    """
    _check_cap(max_sources)
    if easy_share < 0:
        raise ValueError(f"easy_share must not be negative, got {easy_share}")
    easy_count = min(easy, int(easy_share * difficult))
    difficult_count = difficult
    if max_sources is not None:
        easy_count = min(easy_count, int(max_sources * easy_share / (1 + easy_share)))
        difficult_count = min(difficult_count, max_sources - easy_count)
    return Quota(difficult_count, easy_count)


def random_selection(keys: Sequence[str], seed: int, max_sources: int | None = None) -> list[str]:
    """Return a seeded random sample of `keys`, ordered: the baseline that ignores the feedback.

    Raises:
        ValueError: if a key occurs twice or the cap is negative.
    """
    _check_cap(max_sources)
    _check_distinct(keys)
    return sorted(_sample(keys, seed, max_sources))


def _sample(keys: Sequence[str], seed: int, count: int | None) -> list[str]:
    return sorted(keys, key=lambda key: rank_key(seed, key))[:count]


def _check_cap(max_sources: int | None) -> None:
    if max_sources is not None and max_sources < 0:
        raise ValueError(f"max_sources must not be negative, got {max_sources}")


def _check_distinct(keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"the key {key!r} occurs twice among the candidates")
        seen.add(key)
