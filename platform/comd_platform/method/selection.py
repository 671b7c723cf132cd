"""Which instructions the augmentor starts from (section 3.3.3, "Augmenting")."""

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


def balanced_selection(
    candidates: Sequence[Candidate],
    threshold: float,
    seed: int,
    max_sources: int | None = None,
) -> list[Selected]:
    """Return every difficult instruction and as many easy ones (section 3.3.3), ordered by key.

    The easy ones are a seeded random sample, all of them if there are fewer. The outcome depends on
    the candidates, tau and the seed, not on the input's order. At tau = 1 ("easy only") there is
    nothing to balance against: all are chosen; at tau = 0 all are difficult.

    `max_sources` caps the number chosen, for comparisons at equal budget: half of each band, the
    odd one to the difficult. The balance is kept: there are never more easy than difficult ones, so a
    short difficult band is not filled up with easy ones; where the easy band is short the difficult
    fill the rest, as they do without a cap. A smaller cap chooses a subset of a larger one.

    Raises:
        ValueError: if tau or a difficulty lies outside [0, 1], a key occurs twice, or the cap is
            negative.
    """
    check_threshold(threshold)
    _check_cap(max_sources)
    _check_distinct(candidate.key for candidate in candidates)
    keys: dict[Band, list[str]] = {"difficult": [], "easy": []}
    for candidate in candidates:
        keys[band(candidate.difficulty, threshold)].append(candidate.key)

    if threshold >= EASY_ONLY_THRESHOLD:
        chosen = [Selected(key, "easy") for key in _sample(keys["easy"], seed, max_sources)]
    else:
        easy_count = min(len(keys["easy"]), len(keys["difficult"]))
        difficult_count = len(keys["difficult"])
        if max_sources is not None:
            easy_count = min(easy_count, max_sources // 2)
            difficult_count = min(difficult_count, max_sources - easy_count)
        chosen = [
            *(
                Selected(key, "difficult")
                for key in _sample(keys["difficult"], seed, difficult_count)
            ),
            *(Selected(key, "easy") for key in _sample(keys["easy"], seed, easy_count)),
        ]
    return sorted(chosen, key=lambda selected: selected.key)


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
