"""The tokens of many texts at once, as numbers: those of `rouge.tokens`, cut in arrays.

For thousands of texts: each takes a fifth of its time by itself. A single one takes many times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from comd_platform.method.rouge import BLANKED

Positions: TypeAlias = NDArray[np.int64]

AT_ONCE = 6000
"""Texts in a row of arrays: few enough to stay in the cache, enough to be worth the calls."""

_FIRST, _MORE = 8, 4  # bytes of a token that are named at once
_MASKS = np.array([2 ** (8 * kept) - 1 for kept in range(_FIRST + 1)], dtype=np.uint64)
_BLANK = ord(" ")
_CHARACTERS = 0x110000  # that Unicode has room for

# glibc gives freed memory back to the system, and fetches it page by page for the next batch, unless it
# saw a block as large come and go.
np.empty(2**24, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Numbered:
    """Texts as numbers, a token each, text after text.

    `numbers` (T,): of all tokens. `lengths` (N,): how many of them are whose.
    """

    numbers: NDArray[np.uint32]
    lengths: Positions

    def sequences(self) -> list[str] | list[list[int]]:
        """A sequence a text, for rapidfuzz: a string with a character a token, its fastest form.

        There are 1,114,112 characters; where tokens are numbered beyond, it is a list of numbers.
        Either may be compared with the other.
        """
        stops = np.cumsum(self.lengths).tolist()
        cuts = zip([0, *stops], stops, strict=False)
        if len(self.numbers) and int(self.numbers.max()) >= _CHARACTERS:
            return [self.numbers[start:stop].tolist() for start, stop in cuts]
        # A number may be a surrogate's, which no text holds and rapidfuzz does not mind.
        text = self.numbers.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        return [text[start:stop] for start, stop in cuts]


class Vocabulary:
    """Numbers for tokens; what one has it keeps, whatever texts come."""

    def __init__(self) -> None:
        # What is numbered is runs of bytes. The first eight are known as the number that they make, more
        # of them by the number of those before and the number that the next four make.
        self._known: dict[int, int] = {}

    def number(self, texts: Sequence[str]) -> Numbered:
        """The tokens of each text."""
        parts = [
            self._part(texts[start : start + AT_ONCE]) for start in range(0, len(texts), AT_ONCE)
        ]
        if len(parts) == 1:
            return parts[0]
        return Numbered(
            np.concatenate([np.empty(0, np.uint32), *(part.numbers for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *(part.lengths for part in parts)]),
        )

    def _part(self, texts: Sequence[str]) -> Numbered:
        joined = " ".join(texts)
        if not joined.isascii():
            # Lower case may have more characters, or be ASCII where upper case is not.
            texts = [text.lower() for text in texts]
            joined = " ".join(texts)
        cut = joined.encode("ascii", "replace").translate(BLANKED)
        padded = b" " + cut + b" " * _FIRST
        filled = np.frombuffer(padded, dtype=np.uint8) != _BLANK
        edges = np.flatnonzero(filled[1:] != filled[:-1]) + 1
        starts, stops = edges[::2], edges[1::2]
        ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1)
        lengths = np.diff(np.searchsorted(starts, ends), prepend=0)
        return Numbered(self._numbers(padded, starts, stops), lengths)

    def _numbers(self, padded: bytes, starts: Positions, stops: Positions) -> NDArray[np.uint32]:
        lengths = stops - starts
        numbers = self._of(_windows(padded, _FIRST, starts, lengths))
        reach, longer = _FIRST, np.flatnonzero(lengths > _FIRST)
        while len(longer):
            following = _windows(padded, _MORE, starts[longer] + reach, lengths[longer] - reach)
            before = numbers[longer].astype(np.uint64)
            numbers[longer] = self._of(before << np.uint64(32) | following, prefix=1)
            reach += _MORE
            longer = longer[lengths[longer] > reach]
        return numbers

    def _of(self, keys: NDArray[np.uint64], prefix: int = 0) -> NDArray[np.uint32]:
        distinct = pa.array(keys).dictionary_encode()
        known, offset = self._known, prefix << 64
        numbers = [
            known.setdefault(offset + key, len(known))
            for key in distinct.dictionary.to_numpy().tolist()
        ]
        found: NDArray[np.uint32] = np.array(numbers, np.uint32)[distinct.indices.to_numpy()]
        return found


def _windows(
    padded: bytes, width: int, starts: Positions, lengths: Positions
) -> NDArray[np.uint64]:
    """The first `width` bytes (4 or 8) from each start on, `lengths` of them at most, as a number."""
    windows = np.ndarray((len(padded) - width + 1,), f"<u{width}", padded, strides=(1,))
    return windows[starts] & _MASKS.take(lengths, mode="clip")


def ranges(first: Positions, counts: Positions) -> Positions:
    """first[i], first[i] + 1, ... (counts[i] of them), one after the other: (N,), (N,) -> (sum,)."""
    begun = np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(first, counts) + np.arange(int(counts.sum())) - begun
