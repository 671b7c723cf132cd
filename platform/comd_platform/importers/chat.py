"""A conversation in any of the dialects that data sets are published in, as one record.

    {"conversations": [{"from", "value"}]}   ShareGPT, LLaVA; "human" and "user", "gpt" and "assistant"
    {"messages": [{"role", "content"}]}      OpenAI; content a text, or parts of text and one picture
    {"question", "answer"?}                  a flat row
    with "image" or "images"                 a name, {"bytes", "path"}, or a list of one of them

A system message is dropped: an instruction is a question about a picture, and prompts are the run's.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from comd_platform.importers.json_records import Malformed
from comd_platform.importers.llava import conversation_turns, task_type_of
from comd_platform.importers.records import (
    BadRecord,
    RecordError,
    SourceRecord,
    checked_name,
    identifier,
)
from comd_platform.method.dialogues import IMAGE_TOKEN

_SPEAKERS = {
    "human": "human",
    "user": "human",
    "gpt": "gpt",
    "assistant": "gpt",
    "chatgpt": "gpt",
    "bing": "gpt",
}
_SEVERAL = "expected one picture; comd's instructions are about one"
_DATA_URL = re.compile(r"data:image/[a-z.+-]+;base64,", re.ASCII | re.IGNORECASE)
_EMPTY: tuple[object, ...] = (None, "", [], {})


def parse_chat(position: int, value: object) -> SourceRecord | BadRecord:
    """One parsed value as a record; a BadRecord where it is none."""
    if isinstance(value, Malformed):
        return BadRecord(position, None, "JSON", value.reason)
    if not isinstance(value, dict):
        return BadRecord(position, None, "record", "expected an object")
    metadata = value.get("metadata")
    described = {**metadata, **value} if isinstance(metadata, dict) else value
    name = None
    try:
        name = identifier(described, "id", "question_id", "key")
        said, inside = _said(value)
        pictures = [*_pictures(value), *inside]
        if len(pictures) > 1:
            raise RecordError("images", f"{_SEVERAL}, found {len(pictures)}")
        image, content = _picture(pictures[0]) if pictures else (None, None)
        turns = conversation_turns(said, has_image=bool(pictures))
        return SourceRecord(position, name, image, tuple(turns), task_type_of(described), content)
    except RecordError as error:
        return BadRecord(position, name, error.field, error.reason, error.hint)


def _said(record: Mapping[str, Any]) -> tuple[list[dict[str, object]], list[object]]:
    """(LLaVA's conversations, the pictures found inside them)."""
    for field, speaker, text in (
        ("conversations", "from", "value"),
        ("messages", "role", "content"),
    ):
        turns = record.get(field)
        if turns in _EMPTY:
            continue
        if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
            raise RecordError(field, "expected an array of objects")
        return _turns(field, turns, speaker, text)
    for field in ("question", "instruction", "text"):
        if isinstance(record.get(field), str):
            answer = next(
                (record[name] for name in ("answer", "output") if record.get(name) not in _EMPTY),
                None,
            )
            said = [("human", record[field])] + ([("gpt", answer)] if answer is not None else [])
            return [{"from": who, "value": what} for who, what in said], []
    raise RecordError("record", "has none of conversations, messages and question")


def _turns(
    field: str, turns: list[dict[str, Any]], speaker: str, text: str
) -> tuple[list[dict[str, object]], list[object]]:
    said: list[dict[str, object]] = []
    pictures: list[object] = []
    for number, turn in enumerate(turns, start=1):
        who = turn.get(speaker, turn.get("role", turn.get("from")))
        if who == "system" and number == 1:
            continue
        if not isinstance(who, str) or who not in _SPEAKERS:
            raise RecordError(field, f"turn {number}: nobody here is called {who!r}")
        what = turn.get(text, turn.get("content", turn.get("value")))
        if isinstance(what, list):
            what, found = _parts(field, number, what)
            pictures.extend(found)
        said.append({"from": _SPEAKERS[who], "value": what})
    return said, pictures


def _parts(field: str, number: int, parts: list[Any]) -> tuple[str, list[object]]:
    """OpenAI's content parts: the text with the picture's place in it, and the picture."""
    texts: list[str] = []
    pictures: list[object] = []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url":
            url = part.get("image_url")
            pictures.append(url.get("url") if isinstance(url, dict) else url)
            texts.append(IMAGE_TOKEN)
        elif kind == "image":  # transformers: the picture stands in the column
            texts.append(IMAGE_TOKEN)
        else:
            raise RecordError(field, f"turn {number}: a part of type {kind!r} cannot be read")
    return "\n".join(texts), pictures


def _pictures(record: Mapping[str, Any]) -> list[object]:
    for field in ("images", "image"):
        value = record.get(field)
        if value not in _EMPTY:
            return value if isinstance(value, list) else [value]
    return []


def _picture(value: object) -> tuple[str, bytes | None]:
    """(name, content); content where the record holds the picture itself."""
    if isinstance(value, dict):
        content = value.get("bytes")
        if isinstance(content, bytes):
            return "embedded", content
        value = value.get("path")
    if isinstance(value, str) and (match := _DATA_URL.match(value)):
        try:
            return "embedded", base64.b64decode(value[match.end() :], validate=True)
        except binascii.Error as error:
            raise RecordError("image", f"the data URL is no base64: {error}") from error
    return checked_name(value), None
