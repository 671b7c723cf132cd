"""Where the picture that a record names lies: inside the directory the user gave, or nowhere."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath

from comd_platform.errors import ComdError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|data:|file:", re.ASCII | re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:", re.ASCII)
# What nearly every name is: nothing in it that `check_name` has to look at more closely.
_PLAIN = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*", re.ASCII)


class ImageError(ComdError):
    """A picture that cannot be used: unreadable, too large, or not where it may lie."""


def check_name(name: str) -> str:
    """`name` with "." and doubled slashes removed, or ImageError when it could leave a directory.

    Refused: empty and absolute names, "..", URLs, Windows drives, backslashes, NUL and other control
    characters. Touches no file.
    """
    if _PLAIN.fullmatch(name):
        return name
    if not name.strip():
        raise ImageError("the image name is empty")
    if not name.isprintable():
        raise ImageError(f"the image name {name!a} holds control characters")
    if _URL.match(name):
        raise ImageError(
            f"{name!r} is a URL, not a file",
            hint="Download the pictures first, then name the files.",
        )
    if "\\" in name or _DRIVE.match(name):
        raise ImageError(
            f"{name!r} is a Windows path", hint='Write it with "/", as a relative path.'
        )
    path = PurePosixPath(name)
    if path.is_absolute():
        raise ImageError(
            f"{name!r} is absolute", hint="Image names are relative to the directory of --images."
        )
    if ".." in path.parts:
        raise ImageError(f"{name!r} leaves the image directory")
    if not path.parts:
        raise ImageError(f"{name!r} names no file")
    return str(path)


def locate(directory: Path, name: str) -> Path | None:
    """The regular file that `name` is in `directory`; None when there is none.

    Raises ImageError for a name that `check_name` refuses, for a symbolic link that leads out of
    `directory`, and for what is no regular file.
    """
    path = directory / check_name(name)
    try:
        real = Path(os.path.realpath(path, strict=True))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # a loop of links, a name too long, no permission
        raise ImageError(f"{path}: {error.strerror or error}") from error
    if not real.is_relative_to(os.path.realpath(directory)):
        raise ImageError(
            f"{path} is a link to {real}, outside the image directory",
            hint="Give the directory that really holds the pictures.",
        )
    if not real.is_file():
        raise ImageError(f"{path} is not a regular file")
    return real


class Folder:
    """A directory in which many names are located: `locate`, but subdirectories are resolved once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._root = directory.resolve()
        self._inside: dict[str, Path | None] = {}

    def locate(self, name: str) -> Path | None:
        """What `locate` says, with the same errors."""
        parent, _, last = check_name(name).rpartition("/")
        if parent not in self._inside:
            self._inside[parent] = self._resolved(parent)
        inside = self._inside[parent]
        if inside is not None:
            path = inside / last
            try:
                if stat.S_ISREG(path.lstat().st_mode):
                    return path
            except OSError:  # which of them, and what it means, is settled below
                pass
        return locate(self._directory, name)

    def _resolved(self, parent: str) -> Path | None:
        """The subdirectory itself, None where it is not there or not inside."""
        try:
            real = (self._directory / parent).resolve(strict=True)
        except (OSError, RuntimeError):
            return None
        return real if real.is_relative_to(self._root) else None
