"""Instruction keys: a hash of content and lineage, the same on every machine.

A key names an instruction across databases, and everything random in the loop is seeded from it, so
it never depends on serial ids, time or the order of arrival.
"""

from __future__ import annotations

import hashlib

ROOT = "root"
CHILD = "child"
REVISION = "revision"


def root_key(image: str, text: str) -> str:
    """The key of an imported instruction, 64 hex digits.

    `image` is the picture's sha256, "" for an instruction without one, or `awaited(source)` while
    the picture is missing; in the last case the key changes once, when the picture arrives.
    """
    return _digest(ROOT, image, text)


def child_key(parent_key: str, text: str) -> str:
    """The key of an instruction that an augmentor wrote from the one named by `parent_key`."""
    return _digest(CHILD, parent_key, text)


def revision_key(parent_key: str, text: str) -> str:
    """The key of the corrected `text` that a person gave the instruction named by `parent_key`."""
    return _digest(REVISION, parent_key, text)


def awaited(source: str) -> str:
    """What stands for the sha256 of a picture that has not come yet. Never a sha256 itself."""
    return f"missing:{source}"


def root_key_sql(image: str, text: str) -> str:
    """`root_key` as a PostgreSQL expression over two text expressions, for set-based statements.

    The arguments are SQL written by the caller, never a user's input.
    """
    parts = "".join(
        f" || convert_to(octet_length({part})::text || ':' || {part}, 'UTF8')"
        for part in (image, text)
    )
    head = f"convert_to('{len(ROOT)}:{ROOT}', 'UTF8')"
    return f"encode(sha256({head}{parts}), 'hex')"


def _digest(*parts: str) -> str:
    # Each part carries its length, so that no two lists of parts are written alike.
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()
