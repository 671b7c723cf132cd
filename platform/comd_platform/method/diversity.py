"""Is a new instruction different enough? (section 3.3.3: ROUGE-L < 0.7 against every other)

Both indices answer the same question with the same exact score; they differ in whom they compare
with. `DiversityIndex` compares with everything it holds: the instructions of one image, a few dozen.
`TextOnlyIndex` holds all instructions without an image, perhaps hundreds of thousands, and compares
with those that MinHash LSH finds near.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from comd_platform.method.rouge import normalised, rouge_l, tokens

DEFAULT_THRESHOLD = 0.7

# F >= 0.7 means 2 * lcs >= 0.7 * (n + m), so at least lcs / (n + m - lcs) = 0.538 of the tokens
# (counted as often as they occur) are shared. 42 bands of 3 rows find such a pair with
# 1 - (1 - .538**3)**42, more than 99.9 %, at the boundary, and practically always above it.
_LSH_BANDS, _LSH_ROWS = 42, 3


@dataclass(frozen=True, slots=True)
class Nearest:
    """The highest ROUGE-L in an index, and whose: `id` is None where no text shares a token."""

    rouge_l: float
    id: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate was accepted, with the evidence."""

    id: str
    accepted: bool
    rouge_l: float
    nearest_id: str | None


class DiversityIndex:
    """The instructions of one image: exact comparison with each of them."""

    def __init__(self, entries: Iterable[tuple[str, str]] = ()) -> None:
        self._ids: list[str] = []
        self._encoded: list[str] = []
        self._characters: dict[str, str] = {}
        self._by_text: dict[str, str] = {}
        self.add(entries)

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, entries: Iterable[tuple[str, str]]) -> None:
        """Add (id, text) pairs."""
        for entry_id, text in entries:
            self._ids.append(entry_id)
            self._encoded.append(self._encode(text))
            self._by_text.setdefault(normalised(text), entry_id)

    def nearest(self, text: str) -> Nearest:
        """Return the entry with the highest ROUGE-L; of equals the one that was added first."""
        same = self._by_text.get(normalised(text))
        if same is not None:
            return Nearest(1.0, same)
        query = self._encode(text)
        if not query or not self._ids:
            return Nearest(0.0, None)
        common = cdist([query], self._encoded, scorer=LCSseq.similarity, dtype=np.int32)[0]
        lengths = np.array([len(encoded) for encoded in self._encoded], dtype=np.int32)
        scores = _f_measures(common, len(query), lengths)
        best = int(scores.argmax())
        return Nearest(float(scores[best]), self._ids[best] if scores[best] > 0 else None)

    def _encode(self, text: str) -> str:
        """Return the tokens as characters, one for every distinct token: rapidfuzz's fastest form."""
        characters = self._characters
        return "".join(characters.setdefault(token, chr(len(characters))) for token in tokens(text))


class TextOnlyIndex:
    """The instructions without an image: MinHash LSH candidates, then the exact comparison.

    A pair at the boundary of 0.7 is missed in fewer than one case in a thousand; the same text
    never. The permutations are fixed, so the outcome depends on the texts alone.
    """

    def __init__(self, entries: Iterable[tuple[str, str]] = ()) -> None:
        self._lsh = MinHashLSH(num_perm=_LSH_BANDS * _LSH_ROWS, params=(_LSH_BANDS, _LSH_ROWS))
        self._entries: list[tuple[str, str]] = []
        self._by_text: dict[str, str] = {}
        self.add(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entries: Iterable[tuple[str, str]]) -> None:
        """Add (id, text) pairs."""
        for entry_id, text in entries:
            self._by_text.setdefault(normalised(text), entry_id)
            features = _features(text)
            if features:
                self._lsh.insert(len(self._entries), _min_hash(features))
            self._entries.append((entry_id, text))

    def nearest(self, text: str) -> Nearest:
        """Return the entry with the highest ROUGE-L of those that share enough words.

        An entry that shares fewer than the threshold of 0.7 needs may be overlooked: below it the
        score is a lower bound, and the id None where no candidate was found.
        """
        same = self._by_text.get(normalised(text))
        if same is not None:
            return Nearest(1.0, same)
        features = _features(text)
        if not features:
            return Nearest(0.0, None)
        best = Nearest(0.0, None)
        for position in sorted(self._lsh.query(_min_hash(features))):
            entry_id, entry_text = self._entries[position]
            score = rouge_l(text, entry_text)
            if score > best.rouge_l:
                best = Nearest(score, entry_id)
        return best


def accept(
    candidates: Iterable[tuple[str, str]],
    existing: Iterable[tuple[str, str]] | DiversityIndex | TextOnlyIndex,
    threshold: float = DEFAULT_THRESHOLD,
) -> list[Verdict]:
    """Walk (id, text) candidates in order; keep those that are diverse (section 3.3.3).

    A candidate is accepted if its ROUGE-L is *below* the threshold against every existing
    instruction of the same image and every candidate accepted before it. `existing` is (id, text)
    pairs, or an index (`TextOnlyIndex` for instructions without an image), to which the accepted
    ones are added.

    Raises:
        ValueError: if the threshold lies outside [0, 1].
    """
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"the ROUGE-L threshold must lie in [0, 1], got {threshold!r}")
    index: DiversityIndex | TextOnlyIndex
    if isinstance(existing, (DiversityIndex, TextOnlyIndex)):
        index = existing
    else:
        index = DiversityIndex(existing)
    verdicts: list[Verdict] = []
    for candidate_id, text in candidates:
        nearest = index.nearest(text)
        accepted = nearest.rouge_l < threshold
        if accepted:
            index.add([(candidate_id, text)])
        verdicts.append(Verdict(candidate_id, accepted, nearest.rouge_l, nearest.id))
    return verdicts


def _f_measures(
    common: NDArray[np.int32], length: int, lengths: NDArray[np.int32]
) -> NDArray[np.float64]:
    """`f_measure` of one text against many, (N,), (N,) -> (N,): the same operations and digits."""
    scores = np.zeros(len(common), dtype=np.float64)
    some = common > 0
    precision, recall = common[some] / lengths[some], common[some] / length
    scores[some] = 2 * precision * recall / (precision + recall)
    return scores


def _features(text: str) -> list[bytes]:
    """Return the tokens as a set in which the k-th occurrence of a token is its own element."""
    seen: Counter[str] = Counter()
    features: list[bytes] = []
    for token in tokens(text):
        features.append(f"{token} {seen[token]}".encode())
        seen[token] += 1
    return features


def _min_hash(features: list[bytes]) -> MinHash:
    signature = MinHash(num_perm=_LSH_BANDS * _LSH_ROWS, seed=1)
    signature.update_batch(features)
    return signature
