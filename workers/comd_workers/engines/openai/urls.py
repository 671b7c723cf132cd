"""Pictures as data URLs, encoded once and kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from comd_workers.engines.pictures import data_url


class DataUrls:
    """Up to `limit_bytes` of encoded pictures; the one unused for longest goes first.

    A picture is shown by several requests, often at the same time (the judge's two orders): whoever
    comes second waits for the first one's encoding. Files are taken not to change meanwhile.
    Thread-safe.
    """

    def __init__(self, max_side: int | None, limit_bytes: int = 256 * 2**20) -> None:
        self._max_side = max_side
        self._limit = limit_bytes
        self._held = 0
        self._kept: OrderedDict[Path, str] = OrderedDict()
        self._encoding: dict[Path, threading.Lock] = {}
        self._lock = threading.Lock()

    def kept(self, path: Path) -> str | None:
        """The picture if it is here; never waits for a file."""
        with self._lock:
            if path not in self._kept:
                return None
            self._kept.move_to_end(path)
            return self._kept[path]

    def get(self, path: Path) -> str:
        """Raises PictureError."""
        with self._lock:
            encoding = self._encoding.setdefault(path, threading.Lock())
        with encoding:
            kept = self.kept(path)
            if kept is not None:
                return kept
            try:
                return self._keep(path, data_url(path, self._max_side))
            finally:
                with self._lock:
                    self._encoding.pop(path, None)

    def _keep(self, path: Path, url: str) -> str:
        with self._lock:
            self._kept[path] = url
            self._held += len(url)
            while self._held > self._limit:
                self._held -= len(self._kept.popitem(last=False)[1])
        return url
