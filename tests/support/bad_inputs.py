"""Inputs that are wrong in one way each: what the importer's tests try and docs/bad-input.md lists."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

RECORD: Final = {
    "id": "7",
    "image": "a.png",
    "conversations": [
        {"from": "human", "value": "<image>\nWhat is it?"},
        {"from": "gpt", "value": "A cat."},
    ],
}
MEGABYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """`content`: the file. `taken`: how many instructions it brings; None where it is refused whole,
    and `beside` tells how many good records --skip-bad keeps of it, None where the file is unusable."""

    group: str
    name: str
    content: bytes
    taken: int | None = None
    beside: int | None = 0


def record(**fields: object) -> dict[str, object]:
    return {**RECORD, **fields}


def talk(*turns: tuple[object, object], **fields: object) -> dict[str, object]:
    return record(conversations=[{"from": who, "value": said} for who, said in turns], **fields)


def ask(question: object) -> dict[str, object]:
    return talk(("human", question), ("gpt", "A cat."))


def one(value: object) -> bytes:
    return json.dumps([value]).encode()


def raw(record_text: str) -> bytes:
    return f"[{record_text}]".encode()


_Q = "<image>\nWhat is it?"
_HUMAN = '"conversations": [{"from": "human", "value": "What is it?"}]'


def cases() -> list[Case]:
    return [*_files(), *_structure(), *_values(), *_text(), *_names()]


def _files() -> list[Case]:
    good = one(RECORD)
    line = json.dumps(RECORD).encode()
    file = "The file"

    def unusable(name: str, content: bytes) -> Case:
        return Case(file, name, content, beside=None)

    return [
        unusable("empty", b""),
        unusable("only white space", b"  \n\t"),
        unusable("an array without records", b"[]"),
        unusable("a truncated array", json.dumps([RECORD, RECORD]).encode()[:-40]),
        Case(file, "JSON lines, the last one truncated", line + b"\n" + line[:-9], beside=1),
        unusable("a comma after the last record", good[:-1] + b",]"),
        unusable("something after the array", good + b"\n" + line),
        unusable("single quotes", str([RECORD]).encode()),
        Case(file, "one object over several lines", json.dumps(RECORD, indent=1).encode()),
        Case(file, "a byte order mark", b"\xef\xbb\xbf" + good, taken=1),
        Case(file, "CRLF line ends", line + b"\r\n" + line + b"\r\n", taken=1),
        unusable("UTF-16", json.dumps([RECORD]).encode("utf-16")),
        unusable("UTF-16 without a mark", json.dumps([RECORD]).encode("utf-16-le")),
        unusable("UTF-32", json.dumps([RECORD]).encode("utf-32")),
        unusable("Latin-1", raw('{"id": "Größe"}').decode().encode("latin-1")),
        unusable("gzip, named .json", gzip.compress(good)),
        unusable("a zip archive", b"PK\x03\x04" + b"\0" * 30),
        unusable("a picture", b"\x89PNG\r\n\x1a\n"),
        unusable("Parquet", b"PAR1" + b"\0" * 30),
        unusable("a pickle", pickle.dumps([RECORD], protocol=4)),
        unusable("HTML", b"<html>404</html>"),
        unusable("100,000 brackets", b"[" * 100_000),
    ]


def _structure() -> list[Case]:
    group = "The record"
    return [
        Case(group, "null", one(None)),
        Case(group, "an array in the array", one([RECORD])),
        Case(group, "a string", one("record")),
        Case(group, "none of the known fields", one({"data": [RECORD]})),
        Case(
            group,
            "a key twice",
            raw(f'{{"id": "7", "image": "b.png", "image": "a.png", {_HUMAN}}}'),
        ),
        Case(group, "NaN", raw(f'{{"id": NaN, "image": "a.png", {_HUMAN}}}')),
        Case(group, "100 levels too many in a field", one(record(extra=_nested(100))), taken=1),
        Case(
            group,
            "the same id in two records",
            json.dumps([RECORD, ask("Where?")]).encode(),
            taken=2,
        ),
        Case(group, "the same record twice", json.dumps([RECORD, RECORD]).encode(), taken=1),
        Case(group, "conversations: null", one(record(conversations=None))),
        Case(group, "conversations: a string", one(record(conversations="What is it?"))),
        Case(group, "conversations: a number", one(record(conversations=7))),
        Case(group, "conversations: empty", one(record(conversations=[]))),
        Case(group, "conversations: nested", one(record(conversations=[[RECORD]]))),
        Case(group, "a turn is null", one(record(conversations=[None]))),
        Case(group, "a turn without value", one(record(conversations=[{"from": "human"}]))),
        Case(group, "a leading gpt turn", one(talk(("gpt", "Hello."), ("human", _Q))), taken=1),
        Case(group, "gpt turns only", one(talk(("gpt", "Hello.")))),
        Case(group, "two questions in a row", one(talk(("human", _Q), ("human", "Where?")))),
        Case(
            group,
            "two answers in a row",
            one(talk(("human", _Q), ("gpt", "A cat."), ("gpt", "A dog."))),
        ),
        Case(group, "an unknown speaker", one(talk(("system", "Be brief."), ("human", _Q)))),
    ]


def _values() -> list[Case]:
    group = "Types"
    return [
        Case(group, "value: null", one(ask(None))),
        Case(group, "value: a number", one(ask(7))),
        Case(group, "value: an array", one(ask(["What is it?"]))),
        Case(group, "from: null", one(talk((None, "What is it?")))),
        Case(group, "image: a number", one(record(image=7))),
        Case(group, "image: a truth value", one(record(image=True))),
        Case(group, "image: several", one(record(image=["a.png", "b.png"]))),
        Case(group, "image: an object", one(record(image={"path": "a.png"}))),
        Case(group, "image: empty", one(record(image=""))),
        Case(group, "image: null", one(record(image=None))),
        Case(group, "id: an object", one(record(id={}))),
        Case(group, "id: infinite", raw(f'{{"id": 1e999, "image": "a.png", {_HUMAN}}}')),
        Case(group, "id: 4,000 digits", raw(f'{{"id": {"9" * 4000}, "image": "a.png", {_HUMAN}}}')),
        Case(
            group,
            "id: 5,000 digits",
            raw(f'{{"id": {"9" * 5000}, "image": "a.png", {_HUMAN}}}'),
            beside=None,
        ),
        Case(group, "task_type: a number", one(record(task_type=7))),
        Case(group, "task_type: an array", one(record(task_type=["conversation"]))),
        Case(group, "text: null", one({"question_id": 7, "image": "a.png", "text": None})),
        Case(group, "instruction: a number", one({"id": 7, "image": "a.png", "instruction": 7})),
        Case(
            group,
            "output: a number",
            one({"id": 7, "image": "a.png", "instruction": "What is it?", "output": 7}),
        ),
    ]


def _text() -> list[Case]:
    group = "Text"
    long = "x" * MEGABYTES
    return [
        Case(group, "an empty question", one(ask("<image>"))),
        Case(group, "a question without a letter", one(ask("<image>\n \u200b ?!"))),
        Case(group, "no `<image>`", one(ask("What is it?")), taken=1),
        Case(group, "`<image>` twice", one(ask("<image><image>What is it?"))),
        Case(group, "`<image>` without a picture", one(record(image=None))),
        Case(group, "NUL in a question", one(ask("<image>\nWhat\0?"))),
        Case(group, "NUL in an answer", one(talk(("human", _Q), ("gpt", "A\0cat.")))),
        Case(group, "NUL in an id", one(record(id="7\0"))),
        Case(group, "NUL in a task type", one(record(task_type="c\0"))),
        Case(group, "half a surrogate pair in a question", one(ask("<image>\nWhat\ud800?"))),
        Case(group, "half a surrogate pair in an id", one(record(id="\ud800"))),
        Case(group, "a question of 10 MB", one(ask("<image>" + long))),
        Case(group, "an answer of 10 MB", one(talk(("human", _Q), ("gpt", long))), taken=1),
        Case(group, "an id of 10 MB", one(record(id=long))),
        Case(group, "an image name of 10 MB", one(record(image=long))),
    ]


def _names() -> list[Case]:
    group = "Picture names"
    names = {
        "absolute": "/etc/passwd",
        "out of the folder": "../secret.png",
        "out of the folder, further in": "sub/../../secret.png",
        "a file URL": "file:///etc/passwd",
        "an http URL": "http://example.com/a.png",
        "inline data": "data:image/png;base64,AAAA",
        "a Windows path": "C:\\a.png",
        "control characters": "a\n.png",
        "NUL": "a\0.png",
        "a link out of the folder": "link.png",
        "a link to a folder outside": "up/secret.png",
        "a folder": "sub",
        "not there": "none.png",
    }
    pictures = {
        "truncated": "truncated.png",
        "of size zero": "zero.png",
        "no picture": "text.png",
        "damaged": "damaged.jpg",
        "60,000 pixels wide": "wide.png",
        "a decompression bomb": "bomb.png",
        "PostScript": "script.eps",
    }
    fine = {"CMYK": "cmyk.jpg", "animated": "animated.gif", "EXIF-rotated": "rotated.jpg"}
    return [
        *(Case(group, name, one(record(image=value))) for name, value in names.items()),
        *(Case("Pictures", name, one(record(image=value))) for name, value in pictures.items()),
        *(
            Case("Pictures", name, one(record(image=value)), taken=1)
            for name, value in fine.items()
        ),
    ]


def _nested(depth: int) -> object:
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size; its few bytes of pixels would never fill it."""
    data = bytearray(_png((1, 1)))
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


def _png(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, "PNG")
    return buffer.getvalue()


def draw_pictures(directory: Path) -> Path:
    """Every picture that the cases name, good and bad, in `directory`; a secret lies beside it."""
    directory.mkdir(parents=True)
    (directory.parent / "secret.png").write_bytes(_png((3, 3)))
    (directory / "sub").mkdir()
    (directory / "link.png").symlink_to(directory.parent / "secret.png")
    (directory / "up").symlink_to(directory.parent)
    whole = _png((64, 64))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    save: dict[str, Callable[[Path], None]] = {
        "a.png": lambda path: Image.new("RGB", (4, 4), "red").save(path),
        "cmyk.jpg": lambda path: Image.new("CMYK", (4, 4)).save(path),
        "rotated.jpg": lambda path: Image.new("RGB", (8, 3), "blue").save(path, exif=exif),
        "animated.gif": lambda path: Image.new("RGB", (4, 4), "red").save(
            path, save_all=True, append_images=[Image.new("RGB", (4, 4), "blue")]
        ),
    }
    for name, draw in save.items():
        draw(directory / name)
    for name, content in {
        "truncated.png": whole[: len(whole) // 2],
        "zero.png": b"",
        "text.png": b"not a picture",
        "damaged.jpg": b"\xff\xd8\xff\xe0" + b"\0" * 40,
        "wide.png": png_header(60_000, 1),
        "bomb.png": png_header(29_000, 29_000),
        "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }.items():
        (directory / name).write_bytes(content)
    return directory
