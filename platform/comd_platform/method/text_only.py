"""Is a new instruction without an image different enough? (section 3.3.3)

There may be hundreds of thousands of them, so each is compared with those that MinHash LSH finds near,
by the same exact score as the instructions of an image are (`diversity`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from datasketch import MinHashLSH

from comd_platform.method.diversity import DEFAULT_THRESHOLD, Verdict, check_threshold
from comd_platform.method.minhash import PERMUTATIONS, banding, sketch
from comd_platform.method.rouge import normalised, rouge_l, tokens


@dataclass(frozen=True, slots=True)
class Nearest:
    """The highest ROUGE-L that was found, and whose: `id` is None where no text is near."""

    rouge_l: float
    id: str | None


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
        self, candidates: Iterable[tuple[str, str]], threshold: float = DEFAULT_THRESHOLD
    ) -> list[Verdict]:
        """`diversity.accept` with what the index holds; who is accepted joins it.

        Raises:
            ValueError: if the threshold lies outside [0, 1].
        """
        check_threshold(threshold)
        verdicts = []
        for candidate in candidates:
            nearest = self.nearest(candidate[1])
            verdicts.append(
                Verdict(candidate[0], nearest.rouge_l < threshold, nearest.rouge_l, nearest.id)
            )
            if verdicts[-1].accepted:
                self.add([candidate])
        return verdicts
