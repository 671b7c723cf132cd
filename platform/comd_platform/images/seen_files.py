"""Files that were read before: while size, times and inode stay, so does what is in them.

Reading and hashing every picture of every import is most of its cost. `file_content` keeps, for each
file outside the store that was read, its signature (as git does for its index) and the sha256 of what
was in it. A file whose signature is another one is read again; what cannot be told is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.images.store import StoredImage

SETTLED = 2 * 10**9
"""Nanoseconds. A file written more recently may be written again within the same tick of its clock."""

_KNOWN = """
SELECT file_content.path, image.sha256, image.path, image.width, image.height, image.format,
    image.bytes
FROM unnest(CAST(:paths AS text[]), CAST(:signatures AS text[])) AS given (path, signature)
JOIN file_content USING (path, signature) JOIN image USING (sha256)
"""

# In the order of paths, and under the lock of `lock_images`: two imports never wait for each other.
_KEEP = """
INSERT INTO file_content (path, signature, sha256)
SELECT DISTINCT ON (file) file, signature, sha256 FROM arrived
WHERE signature IS NOT NULL ORDER BY file
ON CONFLICT (path) DO UPDATE SET signature = excluded.signature, sha256 = excluded.sha256
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a file system says of a file. `changed` (ctime) cannot be set back, unlike `written`."""

    size: int
    written: int  # nanoseconds, as `changed`
    changed: int
    inode: int

    def __str__(self) -> str:
        return f"{self.size}:{self.written}:{self.changed}:{self.inode}"


def signature(path: Path) -> Signature | None:
    """The file's signature now; None where it has none that could be kept."""
    try:
        found = path.stat()
        str(path).encode()
    except (OSError, UnicodeEncodeError):  # whoever reads the file will say what is the matter
        return None
    return Signature(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def to_keep(path: Path, before: Signature | None, started: int) -> Signature | None:
    """The signature under which what was read of `path` may be kept; None: read it again next time.

    `before` is the signature before it was read, `started` the time (ns) of that. A hard link made
    meanwhile changes ctime alone, and leaves the content what it was.
    """
    after = signature(path)
    if before is None or after is None or before.written > started - SETTLED:
        return None
    same = (after.size, after.written, after.inode) == (before.size, before.written, before.inode)
    return after if same else None


def known_files(
    session: Session, signatures: Mapping[Path, Signature | None]
) -> dict[str, StoredImage]:
    """Path -> picture, for the files that were read before and have not changed since."""
    told = {str(path): str(found) for path, found in signatures.items() if found is not None}
    rows = session.execute(
        text(_KNOWN), {"paths": list(told), "signatures": list(told.values())}
    ).tuples()
    return {path: StoredImage(*stored) for path, *stored in rows}


def keep_files(session: Session) -> None:
    """Remember the files of `arrived` that have a signature."""
    session.execute(text(_KEEP))
