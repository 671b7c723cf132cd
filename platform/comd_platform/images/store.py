"""The content-addressed image store: `ab/<sha256>.<ext>` under one root, complete or not there."""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from comd_platform.images.names import ImageError, check_name
from comd_platform.images.verify import Picture, inspect_picture, read_bytes

# Decoding releases the interpreter's lock; more threads would only hold more pictures in memory.
_THREADS = min(8, (os.cpu_count() or 1) + 1)
_BATCH = 256


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A picture in the store. `path` is relative to the store's root.

    `perceptual_hash` is None where the store held the picture already, which is not decoded again.
    """

    sha256: str
    path: str
    width: int
    height: int
    format: str
    bytes: int
    perceptual_hash: int | None = None


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
        header = inspect_picture(data, source, decode=False)
        stored = _describe(header, sha256, len(data))
        target = self.absolute(stored.path)
        try:
            if not _holds(target, len(data)):
                decoded = inspect_picture(data, source, decode=True)
                stored = replace(stored, perceptual_hash=decoded.perceptual_hash)
                _place(data, source if link else None, target)
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
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="comd-images") as threads:
            while batch := list(itertools.islice(remaining, _BATCH)):
                yield from threads.map(lambda source: self._try(source, link), batch)

    def _try(self, source: Path, link: bool) -> StoredImage | ImageError:
        try:
            return self.put(source, link=link)
        except ImageError as error:
            return error


def _describe(picture: Picture, sha256: str, size: int) -> StoredImage:
    return StoredImage(
        sha256=sha256,
        path=f"{sha256[:2]}/{sha256}.{picture.extension}",
        width=picture.width,
        height=picture.height,
        format=picture.format,
        bytes=size,
    )


def _holds(target: Path, size: int) -> bool:
    try:
        return target.stat().st_size == size
    except FileNotFoundError:
        return False


def _place(data: bytes, original: Path | None, target: Path) -> None:
    """Write beside `target` and rename, so that a reader or a crash never sees half a picture."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=target.parent) as room:
        temporary = Path(room) / target.name
        if original is None or not _linked(original, temporary, data):
            with temporary.open("wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
        temporary.replace(target)


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
