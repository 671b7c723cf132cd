"""JSON arrays and JSON lines, one record at a time, whatever the size of the file.

The standard library's parser is driven over a growing window. Streaming parsers (ijson on yajl) were
tried and dropped: they replace half surrogates by "?" without a word, and their path strings take
memory quadratic in the nesting, so that 100 KB of "[" ends the process.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from comd_platform.importers.records import ImportFailed, OnBytes, shorten

MAX_RECORD = 64 * 2**20  # characters of one record
_CHUNK = 2**20
_BLANK = " \t\n\r"
_EXPECTED = "a JSON array of records, or one JSON object a line"


_UNPACK = "Unpack it first."
_RECODE = "Save it as UTF-8."
_KINDS = (
    (b"\x1f\x8b", "compressed (gzip)", "gunzip it first."),
    (b"BZh", "compressed (bzip2)", _UNPACK),
    (b"\xfd7zXZ\0", "compressed (xz)", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)", _UNPACK),
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"PAR1", "a Parquet file", "comd import --help lists the formats."),
    (b"\x89PNG", "a picture", "comd import images takes pictures."),
    (b"\xff\xd8\xff", "a picture", "comd import images takes pictures."),
    (codecs.BOM_UTF32_LE, "UTF-32", _RECODE),
    (codecs.BOM_UTF16_LE, "UTF-16", _RECODE),
    (codecs.BOM_UTF16_BE, "UTF-16", _RECODE),
    (b"<", "HTML or XML", "A failed download looks like this."),
)
_MAGIC_BYTES = 64


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is no JSON; the lines after it can still be read."""

    reason: str


def read_values(path: Path, on_bytes: OnBytes) -> Iterator[tuple[int, object]]:
    """Yield (position from 1, value) for every item of an array or line of a JSONL file.

    A line that cannot be parsed comes as Malformed. Raises ImportFailed for a file that cannot be
    read, holds neither, or, being an array, is damaged: what follows the damage is then unknown.
    `on_bytes` is told now and then how many bytes were read.
    """
    try:
        with path.open("rb") as handle:
            _refuse_other_kinds(path, handle.read(_MAGIC_BYTES))
            handle.seek(0)
            first = _first_character(handle)
            if not first:
                raise ImportFailed(f"{path} is empty", hint=f"Expected {_EXPECTED}.")
            handle.seek(0)
            yield from _array(path, handle, on_bytes) if first == b"[" else _lines(handle, on_bytes)
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror or error}") from error


def _refuse_other_kinds(path: Path, start: bytes) -> None:
    """Raise ImportFailed for a file that is something else, whatever its name says."""
    for magic, kind, hint in _KINDS:
        if start.startswith(magic):
            raise ImportFailed(f"{path} is {kind}, not JSON", hint=hint)
    if b"\0" in start:
        raise ImportFailed(
            f"{path} holds NUL bytes: it is UTF-16, or no text at all",
            hint=f"Save it as UTF-8. Expected {_EXPECTED}.",
        )


def _first_character(handle: BinaryIO) -> bytes:
    if handle.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        handle.seek(0)
    while (character := handle.read(1)) and character in b" \t\r\n":
        pass
    return character


def _lines(handle: BinaryIO, on_bytes: OnBytes) -> Iterator[tuple[int, object]]:
    parser = _Parser()
    read = told = 0
    position = 0
    while line := handle.readline(MAX_RECORD + 1):
        position += 1
        read += len(line)
        if read - told >= _CHUNK:
            told = read
            on_bytes(read)
        if len(line) > MAX_RECORD:
            while line and not line.endswith(b"\n"):
                line = handle.readline(_CHUNK)
                read += len(line)
            yield position, Malformed(f"the line is longer than {MAX_RECORD // 2**20} MiB")
            continue
        if position == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield position, _parse_line(parser, line)
    on_bytes(read)


class _Parser:
    """The standard library's decoder, which also notes what it would pass over in silence: a key that
    stands twice in an object, of which the last would win, and NaN, which is not JSON."""

    def __init__(self) -> None:
        self._fault: str | None = None
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._odd)

    def at(self, text: str, start: int) -> tuple[object, int]:
        """The value that begins at `start`, or Malformed, and where it ends. Raises ValueError."""
        self._fault = None
        value, end = self._decoder.raw_decode(text, start)
        return (value if self._fault is None else Malformed(self._fault)), end

    def whole(self, text: str) -> object:
        """The value that `text` is. Raises ValueError."""
        self._fault = None
        value: object = self._decoder.decode(text)
        return value if self._fault is None else Malformed(self._fault)

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            twice = next(
                key for key, count in Counter(key for key, _ in pairs).items() if count > 1
            )
            self._fault = f"the key {shorten(twice)} stands twice in one object"
        return fields

    def _odd(self, constant: str) -> None:
        self._fault = f"{constant} is no JSON value"


def _parse_line(parser: _Parser, line: bytes) -> object:
    try:
        parsed: object = parser.whole(line.decode())
    except UnicodeDecodeError as error:
        return Malformed(f"the line is not UTF-8 (byte {error.start + 1})")
    except json.JSONDecodeError as error:
        return Malformed(f"the line is no JSON: {error.msg} at character {error.pos + 1}")
    except RecursionError:
        return Malformed("the line is nested too deeply")
    except ValueError as error:  # a whole number of more than 4300 digits
        return Malformed(f"the line is no JSON: {error}")
    return parsed


class _Window:
    """The unread part of a text file, and where in it the reader stands."""

    def __init__(self, path: Path, handle: BinaryIO, on_bytes: OnBytes) -> None:
        self._handle = handle
        self._on_bytes = on_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._path = path
        self._read = 0
        self.text = ""
        self.place = 0
        self.ended = False

    def grow(self) -> None:
        """Drop what was read, and read at least as much as is left."""
        left = len(self.text) - self.place
        data = self._handle.read(max(_CHUNK, left))
        self.ended = not data
        try:
            more = self._decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            raise ImportFailed(
                f"{self._path} is not UTF-8 near byte {self._read + error.start + 1}"
            ) from error
        self._read += len(data)
        self._on_bytes(self._read)
        self.text = self.text[self.place :] + more
        self.place = 0

    def peek(self) -> str:
        """The next character that is not blank, "" at the end of the file."""
        while True:
            while self.place < len(self.text) and self.text[self.place] in _BLANK:
                self.place += 1
            if self.place < len(self.text) or self.ended:
                return self.text[self.place : self.place + 1]
            self.grow()


def _array(path: Path, handle: BinaryIO, on_bytes: OnBytes) -> Iterator[tuple[int, object]]:
    window = _Window(path, handle, on_bytes)
    parser = _Parser()
    window.peek()
    window.place += 1  # the opening bracket
    position = 0
    if window.peek() == "]":
        window.place += 1
    else:
        while True:
            position += 1
            yield position, _item(path, window, parser, position)
            follows = window.peek()
            window.place += 1
            if follows == "]":
                break
            if follows != ",":
                found = f"found {follows!r}" if follows else "the file ends"
                raise _damaged(path, position, f'after it "," or "]" was expected, but {found}')
    if window.peek():
        raise _damaged(path, position, "the array ends there, but the file goes on")


def _item(path: Path, window: _Window, parser: _Parser, position: int) -> object:
    window.peek()
    while True:
        try:
            value, end = parser.at(window.text, window.place)
        except json.JSONDecodeError as error:
            if window.ended:
                raise _damaged(path, position, error.msg) from error
        except RecursionError as error:
            raise _damaged(path, position, "it is nested too deeply") from error
        except ValueError as error:  # a whole number of more than 4300 digits
            raise _damaged(path, position, str(error)) from error
        else:
            # A number at the window's edge may go on beyond it: 1 | 2, 1. | 5, 1e | 3.
            if window.ended or window.text[end : end + 1] not in ("", ".", "e", "E"):
                window.place = end
                return value
        if len(window.text) - window.place > MAX_RECORD:
            raise _damaged(path, position, f"no end within {MAX_RECORD // 2**20} MiB")
        window.grow()


def _damaged(path: Path, position: int, reason: str) -> ImportFailed:
    return ImportFailed(
        f"{path}: the JSON is damaged at record {position}: {reason}",
        hint=f"Expected {_EXPECTED}. The records after the damage cannot be told apart; an"
        " interrupted download looks like this.",
    )
