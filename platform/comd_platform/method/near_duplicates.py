"""Which texts are nearly the same? ROUGE-L at a threshold, without looking at every pair.

MinHash LSH (`minhash`) names the candidates, and each is then scored exactly: nothing is reported that
is not there, and a pair at the threshold itself is overlooked in fewer than one case in a thousand.
The same text up to case and spacing is always found, in any script. Of text in a script that ROUGE-L
has no tokens for (see `rouge`) nothing else is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cpdist

from comd_platform.method.minhash import band_keys, banding, signatures
from comd_platform.method.rouge import f_measures, normalised
from comd_platform.method.words import Positions, Vocabulary, ranges

DEFAULT_THRESHOLD = 0.9
PAIRS_AT_ONCE = 500_000
"""Candidates held in memory at the same time, however many there are."""

_LARGE = 1000  # texts in a bucket; more are not compared pair by pair
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: spreads numbers in a row

Pairs = tuple[Positions, Positions]


@dataclass(frozen=True, slots=True)
class Match:
    """A text of the one side and one of the other, by their positions."""

    left: int
    right: int
    rouge_l: float


class NearTexts:
    """Texts that many others are compared with: a benchmark's questions, say."""

    def __init__(self, texts: Sequence[str], threshold: float) -> None:
        self._threshold = threshold
        self._cut = banding(threshold)
        self._words = Vocabulary()
        self._held = _bags(texts, self._words)
        self._same = _by_normalised(texts)
        self._bands = [_sorted_band(keys) for keys in self._keys(texts, self._held)]

    def matches(self, texts: Sequence[str]) -> list[Match]:
        """All pairs of one of `texts` (left) and one held (right) that are near enough, in order."""
        bags = _bags(texts, self._words)
        found = {
            (left, right): 1.0
            for left, text in enumerate(texts)
            for right in self._same.get(normalised(text), ())
        }
        for candidates in self._candidates(texts, bags):
            possible = _possible(bags, self._held, candidates, self._threshold)
            lefts, rights, scores = _scored(bags, self._held, possible, self._threshold)
            for left, right, score in zip(lefts, rights, scores, strict=True):
                found.setdefault((int(left), int(right)), float(score))
        return [Match(left, right, found[left, right]) for left, right in sorted(found)]

    def _candidates(self, texts: Sequence[str], bags: _Bags) -> Iterator[Pairs]:
        seen: Positions = np.empty(0, dtype=np.int64)  # a pair is looked at in one band only
        width = max(1, len(self._held.lengths))
        filled = np.flatnonzero(bags.lengths)
        for band, keys in zip(self._bands, self._keys(texts, bags), strict=True):
            first = np.searchsorted(band.keys, keys[filled], side="left")
            past = np.searchsorted(band.keys, keys[filled], side="right")
            lefts, rights = _expand(filled, band.positions, first, past - first)
            fresh = np.setdiff1d(lefts * width + rights, seen)
            seen = np.union1d(seen, fresh)
            for start in range(0, len(fresh), PAIRS_AT_ONCE):
                part = fresh[start : start + PAIRS_AT_ONCE]
                yield part // width, part % width

    def _keys(self, texts: Sequence[str], bags: _Bags) -> NDArray[np.uint64]:
        keys = band_keys(signatures(texts), self._cut)
        # Texts without tokens have equal signatures and nothing in common: they match by text alone.
        empty = np.flatnonzero(bags.lengths == 0)
        keys[:, empty] = np.arange(len(empty), dtype=np.uint64)
        return keys


def clusters(texts: Sequence[str], threshold: float = DEFAULT_THRESHOLD) -> list[list[int]]:
    """Group the positions of texts that are connected by pairs at or above the threshold.

    Only groups of two and more, each sorted, the largest first. Chains count: a is with c where a is
    near b and b near c. Memory is a few hundred bytes a text, whatever the number of pairs.

    Raises ValueError outside (0, 1].
    """
    cut = banding(threshold)
    forest = _Forest(len(texts))
    same = _by_normalised(texts)
    for positions in same.values():
        forest.join(positions[0], positions[1:])
    # One of each text is enough from here on.
    chosen = np.array([positions[0] for positions in same.values()], dtype=np.int64)
    distinct = [texts[position] for position in chosen]
    bags = _bags(distinct, Vocabulary())
    filled = np.flatnonzero(bags.lengths)
    join = _Joining(forest, chosen, bags, threshold)
    for keys in band_keys(signatures(distinct), cut):
        order = np.argsort(keys[filled], kind="stable")
        members, ordered = filled[order], keys[filled][order]
        past = np.searchsorted(ordered, ordered, side="right")  # where the next bucket begins
        first = np.searchsorted(ordered, ordered, side="left")
        small = past - first <= _LARGE
        later = np.arange(1, len(members) + 1)
        for pairs in _blocks(members[small], members, later[small], past[small]):
            join.near(pairs)
        for start in np.unique(first[~small]):
            join.bucket(members[start : past[start]])
    return forest.groups()


@dataclass(frozen=True, slots=True)
class _Joining:
    """Joins in a forest whoever is near enough; `chosen` are the forest's positions of the bags."""

    forest: _Forest
    chosen: Positions
    bags: _Bags
    threshold: float

    def near(self, pairs: Pairs) -> None:
        """Join the near ones among pairs; those that are together already are not scored."""
        # Marks first: they are one look at memory a text, and leave a few of thousands.
        lefts, rights = _possible(self.bags, self.bags, pairs, self.threshold)
        apart = self.forest.roots(self.chosen[lefts]) != self.forest.roots(self.chosen[rights])
        lefts, rights, _ = _scored(
            self.bags, self.bags, (lefts[apart], rights[apart]), self.threshold
        )
        for left, right in zip(self.chosen[lefts], self.chosen[rights], strict=True):
            self.forest.join(int(left), [int(right)])

    def bucket(self, members: Positions) -> None:
        """A large bucket: all are compared with the first, which settles most; then group with group."""
        for start in range(1, len(members), PAIRS_AT_ONCE):
            others = members[start : start + PAIRS_AT_ONCE]
            self.near((np.full(len(others), members[0]), others))
        roots = self.forest.roots(self.chosen[members])
        order = np.argsort(roots, kind="stable")
        members, roots = members[order], roots[order]
        past = np.searchsorted(roots, roots, side="right")  # where the next group begins
        for pairs in _blocks(members, members, past, np.full_like(past, len(members))):
            self.near(pairs)


def _blocks(
    lefts: Positions, pool: Positions, first: Positions, past: Positions
) -> Iterator[Pairs]:
    """Each `lefts[i]` with `pool[first[i] : past[i]]`, in blocks of about PAIRS_AT_ONCE pairs."""
    counts = past - first
    ends = np.cumsum(counts)
    start = 0
    while start < len(lefts):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")))
        yield _expand(lefts[start:stop], pool, first[start:stop], counts[start:stop])
        start = stop


class _Forest:
    """Union-find over positions, with arrays in and out."""

    def __init__(self, size: int) -> None:
        self._parent = np.arange(size, dtype=np.int64)

    def join(self, one: int, others: Sequence[int]) -> None:
        for other in others:
            low, high = sorted((self._root(one), self._root(other)))
            self._parent[high] = low

    def roots(self, positions: Positions) -> Positions:
        """The root of each position, (N,) -> (N,); what was walked is shortened on the way."""
        found = self._parent[positions]
        while True:
            above = self._parent[found]
            if np.array_equal(above, found):
                break
            found = above
        self._parent[positions] = found
        return found

    def groups(self) -> list[list[int]]:
        grouped: dict[int, list[int]] = defaultdict(list)
        for position, root in enumerate(self.roots(np.arange(len(self._parent))).tolist()):
            grouped[root].append(position)
        several = [members for members in grouped.values() if len(members) > 1]
        return sorted(several, key=lambda members: (-len(members), members))

    def _root(self, position: int) -> int:
        while (above := int(self._parent[position])) != position:
            self._parent[position] = self._parent[above]
            position = above
        return position


@dataclass(frozen=True, slots=True)
class _Bags:
    """Texts as numbered tokens. `marks`: 64 bits a text, of which each token sets one."""

    sequences: Sequence[str] | Sequence[list[int]]
    lengths: Positions
    marks: NDArray[np.uint64]


def _bags(texts: Sequence[str], words: Vocabulary) -> _Bags:
    numbered = words.number(texts)
    marks = np.zeros(len(texts), dtype=np.uint64)
    filled = np.flatnonzero(numbered.lengths)
    if len(filled):
        bits = np.uint64(1) << ((numbered.numbers * _SPREAD) >> np.uint64(58))
        starts = np.cumsum(numbered.lengths) - numbered.lengths
        marks[filled] = np.bitwise_or.reduceat(bits, starts[filled])
    return _Bags(numbered.sequences(), numbered.lengths, marks)


@dataclass(frozen=True, slots=True)
class _Band:
    keys: NDArray[np.uint64]
    positions: Positions


def _sorted_band(keys: NDArray[np.uint64]) -> _Band:
    order = np.argsort(keys, kind="stable")
    return _Band(keys[order], order)


def _expand(lefts: Positions, pool: Positions, first: Positions, counts: Positions) -> Pairs:
    """Each `lefts[i]` with `pool[first[i] : first[i] + counts[i]]`, flattened."""
    return np.repeat(lefts, counts), pool[ranges(first, counts)]


def _possible(left: _Bags, right: _Bags, pairs: Pairs, least: float) -> Pairs:
    """Those of the pairs that may score at least `least`.

    F >= t leaves (1 - t) (n + m) tokens that only one of two texts has, and a mark that only one of
    them bears is the mark of such a token.
    """
    lefts, rights = pairs
    differing = np.bitwise_count(left.marks[lefts] ^ right.marks[rights])
    total = left.lengths[lefts] + right.lengths[rights]
    possible = differing <= (1 - least) * total + 1e-6
    return lefts[possible], rights[possible]


def _scored(
    left: _Bags, right: _Bags, pairs: Pairs, least: float
) -> tuple[Positions, Positions, NDArray[np.float64]]:
    """Those of the pairs that score at least `least`, and their scores: the digits of `rouge_l`."""
    lefts, rights = pairs
    ones = [left.sequences[place] for place in lefts]
    others = [right.sequences[place] for place in rights]
    common = cpdist(ones, others, scorer=LCSseq.similarity, dtype=np.int32)
    scores = f_measures(common, left.lengths[lefts], right.lengths[rights])
    near = scores >= least
    return lefts[near], rights[near], scores[near]


def _by_normalised(texts: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for position, text in enumerate(texts):
        found[normalised(text)].append(position)
    return found
