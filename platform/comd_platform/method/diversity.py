"""Is a new instruction different enough? (section 3.3.3: ROUGE-L < 0.7 against every other)

Both indices answer the same question with the same exact score; they differ in whom they compare
with. `DiversityIndex` compares with everything it holds: the instructions of one image, a few dozen.
A few pairs are compared one by one; many at once, as a matrix, in which rapidfuzz compares dozens of
times as many pairs in the same time.
`TextOnlyIndex` holds all instructions without an image, perhaps hundreds of thousands, and compares
with those that MinHash LSH finds near.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from datasketch import MinHashLSH
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from comd_platform.method.minhash import PERMUTATIONS, banding, sketch
from comd_platform.method.rouge import f_measure, f_measures, normalised, rouge_l, tokens

DEFAULT_THRESHOLD = 0.7
_FEW = 64  # pairs; below it making a matrix costs more than it saves
_MANY = 2**20  # pairs in a matrix
_ROWS = 256  # of a matrix


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


class Characters(dict[str, str]):
    """A character for every distinct token: texts as strings of them are rapidfuzz's fastest form.

    The dictionary holds, for every word between blanks that was met, the characters of its tokens; so a
    word is cut into tokens once, not once a text. Indices may share one: images' questions share words.
    """

    ROOM = 500_000
    """Tokens after which another one has to be begun; there are 1,114,112 characters."""

    def __init__(self) -> None:
        super().__init__()
        self._of_token: dict[str, str] = {}

    @property
    def full(self) -> bool:
        return len(self._of_token) > self.ROOM

    def __missing__(self, word: str) -> str:
        of_token = self._of_token
        found = "".join(of_token.setdefault(each, chr(len(of_token))) for each in tokens(word))
        self[word] = found
        return found

    def encode(self, text: str) -> str:
        """The text's tokens, a character each."""
        return "".join(map(self.__getitem__, text.split()))


class DiversityIndex:
    """The instructions of one image: exact comparison with each of them."""

    def __init__(
        self, entries: Iterable[tuple[str, str]] = (), characters: Characters | None = None
    ) -> None:
        self._characters = Characters() if characters is None else characters
        self._entries: list[tuple[str, str]] = []
        self._encoded: list[str] = []
        self._ascii = True
        self._by_text: dict[str, str] = {}
        self._looked_up = 0  # entries that `_by_text` knows
        self.add(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entries: Iterable[tuple[str, str]]) -> None:
        """Add (id, text) pairs."""
        added = list(entries)
        encode = self._characters.encode
        self._entries += added
        self._encoded += [encode(text) for _, text in added]
        self._ascii = self._ascii and "".join([text for _, text in added]).isascii()

    def nearest(self, text: str) -> Nearest:
        """Return the entry with the highest ROUGE-L; of equals the one that was added first.

        The same text comes before texts that have the same tokens.
        """
        return self._nearest(text, self._characters.encode(text))

    def _nearest(self, text: str, query: str) -> Nearest:
        length = len(query)
        best, position = 0.0, -1
        for place, entry in enumerate(self._encoded):
            score = f_measure(LCSseq.similarity(query, entry), length, len(entry))
            if score > best:
                best, position = score, place
        return self._settled(text, query, best, position)

    def walk(self, candidates: list[tuple[str, str]], threshold: float) -> list[Verdict]:
        """`accept` for this index."""
        verdicts: list[Verdict] = []
        while len(verdicts) < len(candidates):
            rows = max(1, min(_ROWS, _MANY // (len(self) + _ROWS)))
            part = candidates[len(verdicts) : len(verdicts) + rows]
            few = len(part) * (len(self) + len(part)) < _FEW
            verdicts += (self._one_by_one if few else self._as_matrix)(part, threshold)
        return verdicts

    def _one_by_one(self, candidates: list[tuple[str, str]], threshold: float) -> list[Verdict]:
        verdicts = []
        for candidate in candidates:
            query = self._characters.encode(candidate[1])
            nearest = self._nearest(candidate[1], query)
            verdicts.append(self._verdict(candidate, query, nearest, threshold))
        return verdicts

    def _as_matrix(self, candidates: list[tuple[str, str]], threshold: float) -> list[Verdict]:
        encoded = [self._characters.encode(text) for _, text in candidates]
        known = len(self)
        columns = list(range(known))  # of those in the index, in its order
        verdicts = []
        for number, row in enumerate(_matrix(encoded, self._encoded + encoded)):
            held = row[:known] if len(columns) == known else row[columns]
            position = int(held.argmax()) if len(held) else -1
            best = float(held[position]) if len(held) else 0.0
            candidate, query = candidates[number], encoded[number]
            nearest = self._settled(candidate[1], query, best, position)
            verdicts.append(self._verdict(candidate, query, nearest, threshold))
            if verdicts[-1].accepted:
                columns.append(known + number)
        return verdicts

    def _verdict(
        self, candidate: tuple[str, str], query: str, nearest: Nearest, threshold: float
    ) -> Verdict:
        """The verdict; who is accepted joins the index."""
        accepted = nearest.rouge_l < threshold
        if accepted:
            self._entries.append(candidate)
            self._encoded.append(query)
            self._ascii = self._ascii and candidate[1].isascii()
        return Verdict(candidate[0], accepted, nearest.rouge_l, nearest.id)

    def _settled(self, text: str, query: str, best: float, position: int) -> Nearest:
        """What the tokens say, unless the same text is there, of which they need not tell."""
        plain = self._ascii and text.isascii()
        if not plain or best == 1 or not query:
            same = self._same_tokens(text, query) if plain else self._same(text)
            if same is not None:
                return Nearest(1.0, same)
        return Nearest(best, self._entries[position][0] if best > 0 else None)

    def _same_tokens(self, text: str, query: str) -> str | None:
        """`_same` where all is ASCII: then the same text has the same tokens."""
        wanted = normalised(text)
        for place, entry in enumerate(self._encoded):
            if entry == query and normalised(self._entries[place][1]) == wanted:
                return self._entries[place][0]
        return None

    def _same(self, text: str) -> str | None:
        """The first entry that is the same text, in any script, up to case and spacing."""
        for entry_id, entry_text in self._entries[self._looked_up :]:
            self._by_text.setdefault(normalised(entry_text), entry_id)
        self._looked_up = len(self._entries)
        return self._by_text.get(normalised(text))


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

    def walk(self, candidates: list[tuple[str, str]], threshold: float) -> list[Verdict]:
        """`accept` for this index."""
        verdicts = []
        for candidate in candidates:
            nearest = self.nearest(candidate[1])
            verdicts.append(
                Verdict(candidate[0], nearest.rouge_l < threshold, nearest.rouge_l, nearest.id)
            )
            if verdicts[-1].accepted:
                self.add([candidate])
        return verdicts


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
    return index.walk(list(candidates), threshold)


def _matrix(queries: list[str], others: list[str]) -> NDArray[np.float64]:
    """The F-measures of encoded texts, (Q,), (N,) -> (Q, N)."""
    common = cdist(queries, others, scorer=LCSseq.similarity, dtype=np.int32)
    ones = np.array([len(query) for query in queries], dtype=np.int32)
    lengths = np.array([len(other) for other in others], dtype=np.int32)
    grid = np.broadcast_arrays(common, ones[:, None], lengths[None, :])
    return f_measures(*(each.ravel() for each in grid)).reshape(common.shape)
