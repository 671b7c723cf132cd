"""What a format gives and what the importer takes: records, and the reasons that one is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from comd_platform.errors import ComdError
from comd_platform.images.names import ImageError, check_name
from comd_platform.method.dialogues import IMAGE_TOKEN, Turn

MAX_QUESTION_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 16 * 2**20
MAX_NAME_BYTES = 1024


class ImportFailed(ComdError):
    """An import that left no trace in the database; the message names file, record and field."""


class RecordError(Exception):
    """One record is not usable: which of its fields, and why."""

    def __init__(self, field: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A usable record. `position` counts from 1: items of an array, lines of a JSONL file.

    `image` is a checked relative name or None; `task_type` what the record itself says, else None.
    `picture` is the image's content, where the record holds that itself.
    """

    position: int
    id: str | None
    image: str | None
    turns: tuple[Turn, ...]
    task_type: str | None
    picture: bytes | None = None


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that was refused."""

    position: int
    id: str | None
    field: str
    reason: str
    hint: str | None = None

    def __str__(self) -> str:
        name = f" (id {shorten(self.id)})" if self.id is not None else ""
        return f"record {self.position}{name}, {self.field}: {self.reason}"


OnBytes = Callable[[int], None]
Reader = Callable[[Path, OnBytes], Iterator[SourceRecord | BadRecord]]


def check_record(record: SourceRecord, *, text_only: bool) -> None:
    """Raise RecordError for what the database or the loop could not take."""
    if record.id is not None:
        check_text("id", record.id, MAX_NAME_BYTES)
    if record.task_type is not None:
        check_text("task_type", record.task_type, MAX_NAME_BYTES)
    if record.image is None and not text_only:
        raise RecordError(
            "image",
            "the record names no picture",
            hint="Text-only instructions are imported on request: --text-only.",
        )
    for number, turn in enumerate(record.turns, start=1):
        field = "question" if len(record.turns) == 1 else f"question {number}"
        check_text(field, turn.question, MAX_QUESTION_BYTES)
        if not turn.question:
            raise RecordError(field, "is empty")
        if not any(map(str.isalnum, turn.question)):
            raise RecordError(field, "holds no letter and no digit")
        if IMAGE_TOKEN in turn.question:
            raise RecordError(field, f"{IMAGE_TOKEN} is left in the text")
        if turn.answer is not None:
            check_text(field.replace("question", "answer"), turn.answer, MAX_ANSWER_BYTES)


def image_name(record: Mapping[str, object]) -> str | None:
    """The record's checked `image`, None where there is none. Raises RecordError."""
    value = record.get("image")
    return None if value is None else checked_name(value)


def checked_name(value: object) -> str:
    """A picture's name as a checked relative path. Raises RecordError."""
    if not isinstance(value, str):
        several = " (comd's instructions are about one picture)" if isinstance(value, list) else ""
        raise RecordError("image", f"expected a string, found {_kind(value)}{several}")
    check_text("image", value, MAX_NAME_BYTES)
    try:
        return check_name(value)
    except ImageError as error:
        raise RecordError("image", error.message, hint=error.hint) from error


def identifier(record: Mapping[str, object], *fields: str) -> str | None:
    """The first of `fields` that holds a string or a number, as text. Raises RecordError for others."""
    for field in fields:
        value = record.get(field)
        if value is None:
            continue
        if isinstance(value, bool | dict | list) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise RecordError(field, f"expected a string or a number, found {_kind(value)}")
        return str(value)
    return None


def text_of(record: Mapping[str, object], field: str) -> str:
    """The string in `field`. Raises RecordError when it is absent or something else."""
    if field not in record:
        raise RecordError(field, "is missing")
    value = record[field]
    if not isinstance(value, str):
        raise RecordError(field, f"expected a string, found {_kind(value)}")
    return value


def shorten(text: str, limit: int = 80) -> str:
    """A record's text as it may stand in a message: escaped, on one line, not too long."""
    shown = ascii(text[: limit + 1])
    return shown if len(text) <= limit else ascii(text[:limit])[:-1] + "…'"


def _kind(value: object) -> str:
    names: dict[type, str] = {dict: "an object", list: "an array", bool: "a truth value"}
    return names.get(type(value), "null" if value is None else f"the number {value}")


def check_text(field: str, value: str, limit: int) -> None:
    """Raise RecordError for text that PostgreSQL cannot store, or of more than `limit` bytes."""
    if "\0" in value:
        raise RecordError(field, "holds a NUL character, which PostgreSQL cannot store")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise RecordError(
            field, f"holds half of a surrogate pair at character {error.start + 1}"
        ) from error
    if size > limit:
        raise RecordError(field, f"is {size:,} bytes long; at most {limit:,} are taken")
