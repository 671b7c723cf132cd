"""Image-text pairs as they lie in files: TSV, JSON records, webdataset shards.

    caption <TAB> image                                   TSV as Conceptual Captions has it
    image <TAB> caption, under a header that says so      TSV with names
    {"image" | "url", "caption" | "text", "id"?}          JSONL, or an array
    {"id", "image", "conversations": [..., gpt: caption]} LLaVA JSON
    00017.jpg + 00017.txt or 00017.json                   .tar, members of one key together

A layout is one reader here and one line in `READERS`.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from comd_platform.importers.json_records import Malformed, read_values
from comd_platform.importers.records import ImportFailed, RecordError, shorten, text_of

CAPTION_NAMES = ("caption", "text", "title")
IMAGE_NAMES = ("image", "url", "image_url", "file_name", "key")
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
MAX_CAPTION_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Pair:
    """One picture and what is said about it. `image` is a name or address, as the file has it."""

    id: str
    image: str
    caption: str

    @property
    def key(self) -> int:
        """64 bits of a hash of picture and caption: the same pair has it in any file, at any place.

        Two of n different pairs share one with probability n²/2⁶⁵: 2·10⁻⁷ for 3 million.
        """
        digest = hashlib.blake2b(f"{self.image}\0{self.caption}".encode(), digest_size=8)
        return int.from_bytes(digest.digest(), "big")


@dataclass(frozen=True, slots=True)
class BadPair:
    """A record that holds no pair; `position` counts lines, items or keys from 1."""

    position: int
    reason: str


Reader = Callable[[Path], Iterator[Pair | BadPair]]


def read_pairs(path: Path) -> Iterator[Pair | BadPair]:
    """Every record of a file, by its suffix. Raises ImportFailed where it cannot be read at all."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ImportFailed(
            f"{path}: captions are not read from {path.suffix or 'files without a suffix'}",
            hint=f"Known: {', '.join(READERS)}.",
        )
    try:
        yield from reader(path)
    except (OSError, tarfile.TarError) as error:
        raise ImportFailed(f"{path}: {error}") from error


def _tsv(path: Path) -> Iterator[Pair | BadPair]:
    order = (0, 1)  # caption, image
    with path.open("rb") as lines:
        for position, line in enumerate(lines, start=1):
            try:
                cells = line.decode().removeprefix("\ufeff").rstrip("\r\n").split("\t")
            except UnicodeDecodeError as error:
                yield BadPair(position, f"the line is not UTF-8 (byte {error.start + 1})")
                continue
            if position == 1 and (named := _header(cells)):
                order = named
            elif len(cells) <= max(order):
                yield BadPair(position, f"{len(cells)} column, expected caption and image")
            else:
                yield _checked(position, str(position), cells[order[1]], cells[order[0]])


def _header(cells: list[str]) -> tuple[int, int] | None:
    """Where caption and image stand, when the cells are column names and not a first pair."""
    names = [cell.strip().lower() for cell in cells]
    caption = next((names.index(name) for name in CAPTION_NAMES if name in names), None)
    image = next((names.index(name) for name in IMAGE_NAMES if name in names), None)
    return None if caption is None or image is None else (caption, image)


def _json(path: Path) -> Iterator[Pair | BadPair]:
    for position, value in read_values(path, lambda _: None):
        if isinstance(value, Malformed):
            yield BadPair(position, value.reason)
        elif not isinstance(value, dict):
            yield BadPair(position, "expected an object")
        else:
            try:
                caption = _caption(value)
                image = text_of(value, _present(value, IMAGE_NAMES, "image"))
            except RecordError as error:
                yield BadPair(position, str(error))
            else:
                yield _checked(position, str(value.get("id", position)), image, caption)


def _caption(record: Mapping[str, object]) -> str:
    turns = record.get("conversations")
    if turns is None:
        return text_of(record, _present(record, CAPTION_NAMES, "caption"))
    said = (
        [turn for turn in turns if isinstance(turn, dict) and turn.get("from") == "gpt"]
        if isinstance(turns, list)
        else []
    )
    if len(said) != 1:
        raise RecordError("conversations", f"expected one caption (from gpt), found {len(said)}")
    return text_of(said[0], "value")


def _present(record: Mapping[str, object], names: tuple[str, ...], otherwise: str) -> str:
    return next((name for name in names if name in record), otherwise)


def _webdataset(path: Path) -> Iterator[Pair | BadPair]:
    """Members of one key follow each other; the caption is `key.txt`, or in `key.json`."""
    with tarfile.open(path) as tar:
        key, sample, position = "", dict[str, str](), 0
        for member in tar:
            if not member.isfile():
                continue
            name = PurePosixPath(member.name)
            stem = member.name.removesuffix(name.suffix)
            if stem != key:
                if key:
                    yield _sample(path, position, key, sample)
                key, sample, position = stem, {}, position + 1
            suffix = name.suffix.lower()
            if suffix in PICTURES:
                sample["image"] = member.name
            elif suffix in {".txt", ".json"}:
                opened = tar.extractfile(member)
                assert opened is not None  # a regular file
                sample[suffix] = opened.read(MAX_CAPTION_BYTES + 1).decode(errors="replace")
        if key:
            yield _sample(path, position, key, sample)


def _sample(path: Path, position: int, key: str, sample: Mapping[str, str]) -> Pair | BadPair:
    if "image" not in sample:
        return BadPair(position, f"sample {key} has no picture")
    caption = sample.get(".txt")
    if caption is None and ".json" in sample:
        try:
            caption = _caption(json.loads(sample[".json"]))
        except (ValueError, RecordError, AttributeError) as error:
            return BadPair(position, f"sample {key}, its .json: {error}")
    if caption is None:
        return BadPair(position, f"sample {key} has neither {key}.txt nor {key}.json")
    return _checked(position, key, f"{path.name}/{sample['image']}", caption)


def _checked(position: int, name: str, image: str, caption: str) -> Pair | BadPair:
    image, caption = image.strip(), " ".join(caption.split())
    if not image:
        return BadPair(position, "names no picture")
    if not caption:
        return BadPair(position, f"no caption for {shorten(image)}")
    try:
        size = len(f"{image}\n{caption}".encode())
    except UnicodeEncodeError:
        return BadPair(position, f"half of a surrogate pair in the caption of {shorten(image)}")
    if size > MAX_CAPTION_BYTES:
        return BadPair(position, f"the caption of {shorten(image)} is {size:,} bytes long")
    return Pair(name, image, caption)


READERS: dict[str, Reader] = {
    ".tsv": _tsv,
    ".json": _json,
    ".jsonl": _json,
    ".tar": _webdataset,
}
