"""LLaVA's instruction files: conversations, and the two question-and-answer layouts beside them.

    {"id", "image"?, "conversations": [{"from": "human"|"gpt", "value"}], "task_type"?}
    {"question_id", "image"?, "text", "category"?}                    qa90_questions.jsonl
    {"id", "image"?, "instruction", "output"?, "type"?}               coco2014_val_gpt4_qa_30x3.jsonl

Which one a record has is seen from its fields, record by record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from comd_platform.importers.json_records import Malformed, read_values
from comd_platform.importers.records import (
    BadRecord,
    OnBytes,
    RecordError,
    SourceRecord,
    identifier,
    image_name,
    shorten,
    text_of,
)
from comd_platform.method.dialogues import (
    IMAGE_TOKEN,
    DialogueError,
    Turn,
    to_single_turns,
    without_image_token,
)
from comd_platform.method.task_types import FIELDS, normalised


def read_llava(path: Path, on_bytes: OnBytes) -> Iterator[SourceRecord | BadRecord]:
    """Every record of a JSON array or JSONL file. Raises ImportFailed for a damaged file."""
    for position, value in read_values(path, on_bytes):
        yield parse_record(position, value)


def parse_record(position: int, value: object) -> SourceRecord | BadRecord:
    """One parsed JSON value as a record of whichever layout it has; a BadRecord where it has none."""
    if isinstance(value, Malformed):
        return BadRecord(position, None, "JSON", value.reason)
    if not isinstance(value, dict):
        return BadRecord(position, None, "record", "expected an object")
    name = None
    try:
        name = identifier(value, "id", "question_id")
        image = image_name(value)
        turns = _turns(value, has_image=image is not None)
        return SourceRecord(position, name, image, tuple(turns), task_type_of(value))
    except RecordError as error:
        return BadRecord(position, name, error.field, error.reason, error.hint)


def _turns(record: Mapping[str, object], *, has_image: bool) -> list[Turn]:
    if "conversations" in record:
        return conversation_turns(record["conversations"], has_image=has_image)
    if "instruction" in record:
        answer = text_of(record, "output").strip() if record.get("output") is not None else ""
        return [Turn(_question(record, "instruction", has_image=has_image), answer or None)]
    if "text" in record:
        return [Turn(_question(record, "text", has_image=has_image), None)]
    raise RecordError("record", "has none of the fields conversations, instruction and text")


def conversation_turns(value: object, *, has_image: bool) -> list[Turn]:
    """LLaVA's `conversations` as single turns. Raises RecordError."""
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        raise RecordError("conversations", "expected an array of objects")
    conversation = cast("list[Mapping[str, object]]", value)
    if not has_image:
        for turn in conversation:
            _refuse_token("conversations", turn.get("value"))
    try:
        return to_single_turns(conversation)
    except DialogueError as error:
        raise RecordError("conversations", _brief(error.message), hint=error.hint) from error


def _question(record: Mapping[str, object], field: str, *, has_image: bool) -> str:
    text = text_of(record, field)
    if not has_image:
        _refuse_token(field, text)
    elif text.count(IMAGE_TOKEN) > 1:
        raise RecordError(field, f"a second {IMAGE_TOKEN}; an instruction is about one picture")
    return without_image_token(text)


def _refuse_token(field: str, text: object) -> None:
    if isinstance(text, str) and IMAGE_TOKEN in text:
        raise RecordError(field, f"holds {IMAGE_TOKEN}, but the record names no picture")


def task_type_of(record: Mapping[str, object]) -> str | None:
    """What the record itself says its task type is; None where it says nothing."""
    for field in FIELDS:
        value = text_of(record, field) if record.get(field) is not None else ""
        if value.strip():
            return normalised(value)
    return None


def _brief(message: str) -> str:
    return message if len(message) <= 200 else shorten(message, 200)
