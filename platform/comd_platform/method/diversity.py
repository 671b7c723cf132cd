"""Is a new instruction different enough? (section 3.3.3: ROUGE-L < 0.7 against every other)

An image has a few dozen instructions, and each new one is compared with all of them. Many images are
walked together: their texts are cut into tokens and their pairs scored a few thousand at a time.
Instructions without an image are too many to compare each with all: see `text_only`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from math import isqrt
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist, cpdist

from comd_platform.method.rouge import f_measures, normalised
from comd_platform.method.words import AT_ONCE, Positions, Vocabulary, ranges

DEFAULT_THRESHOLD = 0.7
_FEW = 64  # pairs of an image; below it a matrix of its own costs more than it saves
_TEXTS = AT_ONCE
_PAIRS = 2**20  # at once

Entries: TypeAlias = Sequence[tuple[str, str]]
"""(id, text) of instructions."""


class Verdict(NamedTuple):
    """Whether a candidate was accepted, with the evidence: the highest ROUGE-L, and whose.

    `nearest_id` is None where no text shares a token. Of equals it is the first, and the same text
    comes before texts that merely have the same tokens.
    """

    id: str
    accepted: bool
    rouge_l: float
    nearest_id: str | None


class Group(NamedTuple):
    """The instructions of one image, those it has and those that ask to join them."""

    existing: Entries
    candidates: Entries


def accept(
    candidates: Entries, existing: Entries, threshold: float = DEFAULT_THRESHOLD
) -> list[Verdict]:
    """Walk the candidates in order; keep those that are diverse (section 3.3.3).

    A candidate is accepted if its ROUGE-L is *below* the threshold against every existing
    instruction of the same image and every candidate accepted before it.

    Raises:
        ValueError: if the threshold lies outside [0, 1].
    """
    return list(accept_all([Group(existing, candidates)], threshold))


def accept_all(groups: Sequence[Group], threshold: float = DEFAULT_THRESHOLD) -> Iterator[Verdict]:
    """`accept` for many images: the verdicts on the first one's candidates, then on the second's, ...

    What one image's verdicts are says nothing of another's.

    Raises:
        ValueError: if the threshold lies outside [0, 1].
    """
    check_threshold(threshold)
    return chain.from_iterable(_walked(batch, threshold) for batch in _batches(groups))


def check_threshold(threshold: float) -> None:
    """Raises ValueError outside [0, 1]."""
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"the ROUGE-L threshold must lie in [0, 1], got {threshold!r}")


def _batches(groups: Sequence[Group]) -> Iterator[Sequence[Group]]:
    """A few thousand texts each, and no more pairs than fit; or one group that has more by itself."""
    held, new = _sizes(groups)
    texts, pairs = np.cumsum(held + new), np.cumsum(_pairs(held, new))
    start, before = 0, (0, 0)
    while start < len(groups):
        room = (
            int(texts.searchsorted(before[0] + _TEXTS, side="right")),
            int(pairs.searchsorted(before[1] + _PAIRS, side="right")),
        )
        stop = max(start + 1, min(room))
        yield groups[start:stop]
        start, before = stop, (texts[stop - 1], pairs[stop - 1])


def _walked(groups: Sequence[Group], threshold: float) -> list[Verdict]:
    """The verdicts of a batch. A group that is too large is walked in parts, its texts cut for each."""
    if len(groups) > 1 or _pairs(*_sizes(groups)).sum() <= _PAIRS:
        return _Batch(groups).verdicts(threshold)
    [(existing, candidates)] = groups
    existing = list(existing)
    verdicts: list[Verdict] = []
    while len(verdicts) < len(candidates):
        size = max(1, _PAIRS // (len(existing) + isqrt(_PAIRS)))
        part = candidates[len(verdicts) : len(verdicts) + size]
        found = _Batch([Group(existing, part)]).verdicts(threshold)
        existing += [each for each, verdict in zip(part, found, strict=True) if verdict.accepted]
        verdicts += found
    return verdicts


def _sizes(groups: Sequence[Group]) -> tuple[Positions, Positions]:
    """How many instructions each group has, and how many candidates: (G,), (G,)."""
    held = [len(group.existing) for group in groups]
    new = [len(group.candidates) for group in groups]
    return np.array(held, dtype=np.int64), np.array(new, dtype=np.int64)


def _pairs(held: Positions, new: Positions) -> Positions:
    return new * held + new * (new - 1) // 2


class _Batch:
    """The candidates of some groups, scored with all that their groups have before them.

    Texts lie in a row, those that a group has before its candidates. So the texts that a candidate is
    compared with are `counts` from `firsts` on; its scores are as many from `offsets` on.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        held, new = _sizes(groups)
        begins = np.cumsum(held + new) - held - new
        self._places = ranges(begins + held, new)
        self._firsts = np.repeat(begins, new)
        self._counts = self._places - self._firsts
        self._offsets = np.cumsum(self._counts) - self._counts
        self._elder = ranges(np.zeros_like(new), new)  # candidates of the group before each

        self._entries = list(chain.from_iterable(chain.from_iterable(groups)))
        texts = [text for _, text in self._entries]
        numbered = Vocabulary().number(texts)
        self._sequences = np.fromiter(numbered.sequences(), dtype=np.object_, count=len(texts))
        self._lengths = numbered.lengths
        # Candidates of groups where tokens may not tell the same text, and the first that is the same.
        self._mixed = np.zeros(len(self._places), dtype=np.bool_)
        self._twins = np.arange(len(texts))
        odd = numbered.lengths == 0
        if not "".join(texts).isascii():
            odd |= [not text.isascii() for text in texts]
        if odd.any():
            before = np.concatenate([[0], np.cumsum(odd)])
            mixed = before[begins + held + new] > before[begins]
            self._mixed = np.repeat(mixed, new)
            begun, sizes = begins[mixed].tolist(), (held + new)[mixed].tolist()
            for begin, size in zip(begun, sizes, strict=True):
                self._twins[begin : begin + size] = begin + _twins(texts[begin : begin + size])

        self._scores = np.empty(int(self._counts.sum()))
        candidates, few = np.cumsum(new) - new, _pairs(held, new) < _FEW
        self._score_pairs(ranges(candidates[few], new[few]))
        for start, count in zip(candidates[~few].tolist(), new[~few].tolist(), strict=True):
            self._score_group(slice(start, start + count))

    def _score_pairs(self, candidates: Positions) -> None:
        counts = self._counts[candidates]
        ones = np.repeat(self._places[candidates], counts)
        others = ranges(self._firsts[candidates], counts)
        common = cpdist(
            self._sequences[ones],
            self._sequences[others],
            scorer=LCSseq.similarity,
            dtype=np.int32,
        )
        scores = f_measures(common, self._lengths[ones], self._lengths[others])
        self._scores[ranges(self._offsets[candidates], counts)] = scores

    def _score_group(self, candidates: slice) -> None:
        """As a matrix, in which rapidfuzz scores dozens of times as many pairs in the same time."""
        counts, offset = self._counts[candidates], self._offsets[candidates.start]
        first, places = self._firsts[candidates.start], self._places[candidates]
        rows, columns = slice(places[0], places[-1] + 1), slice(first, places[-1] + 1)
        common = cdist(
            self._sequences[rows],
            self._sequences[columns],
            scorer=LCSseq.similarity,
            dtype=np.int32,
        )
        scores = f_measures(common, self._lengths[rows, None], self._lengths[None, columns])
        before = np.arange(scores.shape[1]) < counts[:, None]
        self._scores[offset : offset + counts.sum()] = scores[before]

    def verdicts(self, threshold: float) -> list[Verdict]:
        """A verdict for each candidate, in their order.

        First as if all were accepted; then, in order, those are looked at again for whom that or the
        tokens may not be everything.
        """
        best, nearest = self._best()
        has_twin = self._twins[self._places] < self._places
        accepted = (best < threshold) & ~has_twin
        unsure = has_twin | (best == 1)
        near_candidate = np.flatnonzero(nearest >= self._places - self._elder)
        rivals = near_candidate - (self._places - nearest)[near_candidate]
        unsure[near_candidate] |= ~accepted[rivals]
        for number in np.flatnonzero(unsure).tolist():
            best[number], nearest[number] = self._among_accepted(number, accepted)
            accepted[number] = best[number] < threshold
        entries = self._entries
        found = zip(
            self._places.tolist(), accepted.tolist(), best.tolist(), nearest.tolist(), strict=True
        )
        return [
            Verdict(entries[place][0], passed, score, entries[near][0] if near >= 0 else None)
            for place, passed, score, near in found
        ]

    def _best(self) -> tuple[NDArray[np.float64], Positions]:
        """Each candidate's highest score and the first text that has it, (C,) each; 0 and -1 of none."""
        best, nearest = np.zeros(len(self._places)), np.full(len(self._places), -1)
        compared = np.flatnonzero(self._counts)
        offsets = self._offsets[compared]
        if len(compared):
            best[compared] = np.maximum.reduceat(self._scores, offsets)
        hits = np.flatnonzero(self._scores == np.repeat(best, self._counts))
        owners = np.searchsorted(offsets, hits, side="right")
        first_hits = hits[np.diff(owners, prepend=0) > 0]
        nearest[compared] = self._firsts[compared] + first_hits - offsets
        nearest[best == 0] = -1
        return best, nearest

    def _among_accepted(self, number: int, accepted: NDArray[np.bool_]) -> tuple[float, int]:
        """`_best` of one candidate among texts that its group has, the same text before all others."""
        place, first, count = (each[number] for each in (self._places, self._firsts, self._counts))
        there = np.ones(count, dtype=np.bool_)
        there[count - self._elder[number] :] = accepted[number - self._elder[number] : number]
        others = first + np.flatnonzero(there)
        scores = self._scores[self._offsets[number] :][:count][there]
        if self._mixed[number]:
            same = others[self._twins[others] == self._twins[place]].tolist()
        else:
            spelt = normalised(self._entries[place][1])
            alike = others[scores == 1].tolist()
            same = [other for other in alike if normalised(self._entries[other][1]) == spelt]
        if same:
            return 1.0, same[0]
        if not scores.any():
            return 0.0, -1
        top = int(scores.argmax())
        return float(scores[top]), int(others[top])


def _twins(texts: Sequence[str]) -> Positions:
    """For each text the place of the first that is the same text."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(normalised(text), n) for n, text in enumerate(texts)])
