"""Is a new instruction different enough? (section 3.3.3: ROUGE-L < 0.7 against every other)

Both indices answer the same question with the same exact score; they differ in whom they compare
with. `DiversityIndex` compares with everything it holds: the instructions of one image, a few dozen.
`TextOnlyIndex` holds all instructions without an image, perhaps hundreds of thousands, and compares
with those that MinHash LSH finds near.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from datasketch import MinHashLSH
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from comd_platform.method.minhash import PERMUTATIONS, banding, sketch
from comd_platform.method.rouge import f_measures, normalised, rouge_l, tokens

DEFAULT_THRESHOLD = 0.7


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
        scores = f_measures(common, np.full_like(lengths, len(query)), lengths)
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
        cut = banding(DEFAULT_THRESHOLD)
        self._lsh = MinHashLSH(num_perm=PERMUTATIONS, params=(cut.bands, cut.rows))
        self._entries: list[tuple[str, str]] = []
        self._by_text: dict[str, str] = {}
        self.add(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entries: Iterable[tuple[str, str]]) -> None:
        """Add (id, text) pairs."""
        for entry_id, text in entries:
            self._by_text.setdefault(normalised(text), entry_id)
            if tokens(text):
                self._lsh.insert(len(self._entries), sketch(text))
            self._entries.append((entry_id, text))

    def nearest(self, text: str) -> Nearest:
        """Return the entry with the highest ROUGE-L of those that share enough words.

        An entry that shares fewer than the threshold of 0.7 needs may be overlooked: below it the
        score is a lower bound, and the id None where no candidate was found.
        """
        same = self._by_text.get(normalised(text))
        if same is not None:
            return Nearest(1.0, same)
        if not tokens(text):
            return Nearest(0.0, None)
        best = Nearest(0.0, None)
        for position in sorted(self._lsh.query(sketch(text))):
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
