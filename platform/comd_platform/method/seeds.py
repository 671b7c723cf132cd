"""Seeds from content: the only source of randomness in comd.

A seed is a hash of what it is for (run seed, iteration, phase, instruction key, attempt ...), never
of time, worker, serial id or batch, so an interrupted run draws what an undisturbed one draws.
"""

from __future__ import annotations

import hashlib

SEED_BITS = 63  # a signed 64-bit integer holds it: PostgreSQL's bigint, torch's and numpy's seeds


def _canonical(parts: tuple[str | int, ...]) -> bytes:
    """Encode `parts` so that different parts never share an encoding: type tag, length, bytes."""
    pieces: list[bytes] = []
    for part in parts:
        if isinstance(part, str):
            tag, body = b"s", part.encode("utf-8", "surrogatepass")
        else:
            tag, body = b"i", b"%d" % part
        pieces.append(b"%b%d:%b" % (tag, len(body), body))
    return b"".join(pieces)


def content_seed(*parts: str | int) -> int:
    """Return a seed in [0, 2**63) that depends on `parts` alone, on their order and types.

    `content_seed("ab", "c")` differs from `content_seed("a", "bc")`, and `1` from `"1"`.
    """
    digest = hashlib.sha256(_canonical(parts)).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


def rank_key(seed: int, key: str) -> bytes:
    """Return 32 bytes that order `key` at random for `seed`.

    Sorting by it is a seeded shuffle that does not depend on the input's order; the first n of a
    sorted sequence are a uniform sample without replacement, and a smaller sample is a part of a
    larger one.
    """
    return hashlib.sha256(_canonical((seed, key))).digest()
