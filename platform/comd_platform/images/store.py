"""The content-addressed image store: `ab/<sha256>.<ext>` under one root, complete or not there."""

from __future__ import annotations

import errno
import itertools
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from comd_platform.images.names import ImageError, check_name
from comd_platform.images.verify import Picture, inspect_picture, read_bytes, require_whole

_SHARE = 16  # pictures that a thread takes at a time
_SHARES = 64  # handed out at a time


class StoredImage(NamedTuple):
    """A picture in the store. `path` is relative to the store's root."""

    sha256: str
    path: str
    width: int
    height: int
    format: str
    bytes: int


class ImageStore:
    """Pictures by content under `root`. Several processes may write to one root at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def absolute(self, path: str) -> Path:
        """The file of a stored picture's relative `path`. Raises ImageError if that leaves the root."""
        return self.root / check_name(path)

    def put(self, source: Path, *, link: bool = False) -> StoredImage:
        """Verify `source` and keep it; returns the same for the same content, however often.

        Copies, or with `link` makes a hard link where the file system allows it: then the content
        is only as safe as the original, which must not be edited in place. Raises ImageError.
        """
        data, sha256 = read_bytes(source)
        picture = inspect_picture(data, source)
        stored = _describe(picture, sha256, len(data))
        try:
            if not self.holds(stored):
                require_whole(picture, data, source)
                _place(data, source if link else None, self.absolute(stored.path))
        except OSError as error:
            raise ImageError(
                f"cannot keep {source} in the image store {self.root}: {error.strerror or error}",
                hint="COMD_IMAGES names another directory for pictures.",
            ) from error
        return stored

    def put_all(
        self, sources: Iterable[Path], *, link: bool = False
    ) -> Iterator[StoredImage | ImageError]:
        """`put` for many, on a few threads, in the order given. A bad picture comes out as its error,
        so that the caller may go on with the rest."""
        remaining = iter(sources)
        with ThreadPoolExecutor(_threads(), thread_name_prefix="comd-images") as threads:
            while batch := list(itertools.islice(remaining, _SHARES * _SHARE)):
                shares = [batch[start : start + _SHARE] for start in range(0, len(batch), _SHARE)]
                for outcomes in threads.map(lambda share: self._try(share, link), shares):
                    yield from outcomes

    def holds(self, stored: StoredImage) -> bool:
        """Whether the store has the picture, whole as far as its size tells."""
        try:
            return self.absolute(stored.path).stat().st_size == stored.bytes
        except FileNotFoundError:
            return False

    def _try(self, sources: Sequence[Path], link: bool) -> list[StoredImage | ImageError]:
        outcomes: list[StoredImage | ImageError] = []
        for source in sources:
            try:
                outcomes.append(self.put(source, link=link))
            except ImageError as error:
                outcomes.append(error)
        return outcomes


def _threads() -> int:
    """As many as there are cores to use, and one that waits for the disk: reading, hashing and decoding
    release the interpreter's lock. More would only hold more pictures in memory."""
    usable = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    return min(8, len(usable) + 1)


def _describe(picture: Picture, sha256: str, size: int) -> StoredImage:
    return StoredImage(
        sha256=sha256,
        path=f"{sha256[:2]}/{sha256}.{picture.extension}",
        width=picture.width,
        height=picture.height,
        format=picture.format,
        bytes=size,
    )


def _place(data: bytes, original: Path | None, target: Path) -> None:
    """Write beside `target` and rename, so that a reader or a crash never sees half a picture."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".incoming-{secrets.token_hex(8)}"
    try:
        if original is None or not _linked(original, temporary, data):
            with temporary.open("xb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _linked(original: Path, temporary: Path, data: bytes) -> bool:
    """Whether a hard link to the verified content could be made."""
    try:
        temporary.hardlink_to(original)
    except OSError as error:
        if error.errno in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}:
            return False
        raise
    if temporary.read_bytes() != data:  # edited since it was read: the copy in memory is the truth
        temporary.unlink()
        return False
    return True
