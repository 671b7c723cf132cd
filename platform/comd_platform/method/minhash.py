"""MinHash of instructions, the same numbers as `datasketch` gives, computed for many texts at once.

A text is the bag of its tokens. Two texts whose ROUGE-L F-measure is t share at least t / (2 - t) of
theirs (Jaccard): F >= t means 2 lcs >= t (n + m), hence lcs / (n + m - lcs) >= t / (2 - t), and no
common subsequence is longer than what the two bags share. So a search for ROUGE-L may look at those
pairs only that MinHash LSH brings together at that Jaccard similarity.

`datasketch` computes a signature at a time; here the hashes of a few thousand texts are permuted in
one array. A test holds the two against each other, bit by bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
from datasketch import MinHash
from datasketch.hashfunc import sha1_hash32
from numpy.typing import NDArray

from comd_platform.method.rouge import tokens

PERMUTATIONS = 128
SEED = 1
SCHEME = "affine32"
"""How datasketch 2 permutes a 32-bit hash h: a h + b modulo 2**32, with a odd."""

_MISSED = 1e-3  # the share of pairs at the threshold itself that the bands may miss
_CHUNK = 512  # texts at once: their permuted hashes (3 MB) stay in the cache
_EMPTY = np.uint32(2**32 - 1)  # datasketch's signature of nothing

_A, _B = MinHash(PERMUTATIONS, SEED, scheme=SCHEME).permutations

Signatures = NDArray[np.uint32]
"""(N, PERMUTATIONS)"""


@dataclass(frozen=True, slots=True)
class Banding:
    """Signatures are cut into `bands` of `rows` values; a pair that agrees in a band is a candidate."""

    bands: int
    rows: int


def banding(threshold: float) -> Banding:
    """The longest rows that miss fewer than one in a thousand pairs whose ROUGE-L is `threshold`.

    Longer rows bring fewer pairs together in vain. Raises ValueError outside (0, 1].
    """
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"the ROUGE-L threshold must lie in (0, 1], got {threshold!r}")
    shared = threshold / (2 - threshold)
    for rows in range(PERMUTATIONS, 1, -1):
        bands = PERMUTATIONS // rows
        if (1 - shared**rows) ** bands <= _MISSED:
            return Banding(bands, rows)
    return Banding(PERMUTATIONS, 1)


def features(text: str) -> list[str]:
    """The tokens as a set in which the k-th occurrence of a token is an element of its own."""
    seen: Counter[str] = Counter()
    found: list[str] = []
    for token in tokens(text):
        found.append(_feature(token, seen[token]))
        seen[token] += 1
    return found


def _feature(token: str, before: int) -> str:
    return f"{token} {before}"


def signatures(texts: Iterable[str]) -> Signatures:
    """The signature of each text, (N, PERMUTATIONS); all bits set where a text has no token."""
    remaining = iter(texts)
    chunks = []
    while chunk := list(islice(remaining, _CHUNK)):
        chunks.append(_chunk_signatures(chunk))
    return np.concatenate(chunks) if chunks else np.empty((0, PERMUTATIONS), dtype=np.uint32)


def sketch(text: str) -> MinHash:
    """One text's signature as datasketch's own object, for its incremental index."""
    [row] = signatures([text])
    return MinHash(hashvalues=row, permutations=(_A, _B), scheme=SCHEME)


def band_keys(signed: Signatures, cut: Banding) -> NDArray[np.uint64]:
    """(N, PERMUTATIONS) -> (bands, N): one number for each text's share of each band.

    Equal shares have equal keys; different ones collide in one of 2**64 cases.
    """
    count = len(signed)
    shares = signed[:, : cut.bands * cut.rows].reshape(count, cut.bands, cut.rows)
    keys = np.zeros((count, cut.bands), dtype=np.uint64)
    for row in range(cut.rows):
        keys = _mixed(keys ^ shares[:, :, row].astype(np.uint64))
    return np.ascontiguousarray(keys.T)


def _chunk_signatures(texts: Sequence[str]) -> Signatures:
    hashes: list[int] = []
    starts: list[int] = []
    filled: list[int] = []
    for position, text in enumerate(texts):
        words = tokens(text)
        if words:
            filled.append(position)
            starts.append(len(hashes))
            hashes.extend(_feature_hashes(words))
    signed = np.full((len(texts), PERMUTATIONS), _EMPTY, dtype=np.uint32)
    if filled:
        mixed = _premixed(np.array(hashes, dtype=np.uint32))
        permuted = mixed[:, None] * _A + _B  # wraps around: modulo 2**32 is meant
        signed[filled] = np.minimum.reduceat(permuted, starts, axis=0)
    return signed


def _feature_hashes(words: list[str]) -> list[int]:
    """The hash of each of `features`, which are not spelt out: most are known from other texts."""
    seen: dict[str, int] = {}
    found = []
    for word in words:
        before = seen.get(word, 0)
        seen[word] = before + 1
        found.append(_hash(word, before))
    return found


@lru_cache(maxsize=2**18)
def _hash(token: str, before: int) -> int:
    return int(sha1_hash32(_feature(token, before).encode()))


def _premixed(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """MurmurHash3's 32-bit finalizer, which datasketch applies before it permutes."""
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> np.uint32(16))


def _mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """MurmurHash3's 64-bit finalizer, a bijection."""
    keys = (keys ^ (keys >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    keys = (keys ^ (keys >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return keys ^ (keys >> np.uint64(33))
