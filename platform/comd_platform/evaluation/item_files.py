"""Reading benchmark items: one JSON object each, in an array or one a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from comd_platform.evaluation.item import Item
from comd_platform.evaluation.letters import LETTERS
from comd_platform.importers.json_records import Malformed, read_values
from comd_platform.importers.records import (
    MAX_NAME_BYTES,
    MAX_QUESTION_BYTES,
    BadRecord,
    ImportFailed,
    RecordError,
    check_text,
    identifier,
    image_name,
    text_of,
)
from comd_platform.method.dialogues import without_image_token

_FIELDS = {"id", "image", "question", "answer", "answers", "choices", "groups", "context"}


def read_items(path: Path) -> Iterator[Item]:
    """Every item of the file. Raises ImportFailed at the first that cannot be used, naming it."""
    seen: dict[str, int] = {}
    for position, value in read_values(path, lambda _: None):
        key = None
        try:
            key = identifier(value, "id") if isinstance(value, dict) else None
            item = parse_item(value)
            if item.key in seen:
                raise RecordError("id", f"is that of record {seen[item.key]} too")
        except RecordError as error:
            bad = BadRecord(position, key, error.field, error.reason)
            raise ImportFailed(f"{path}: {bad}", hint=error.hint) from error
        seen[item.key] = position
        yield item


def parse_item(value: object) -> Item:
    """One parsed JSON value as an item. Raises RecordError."""
    if isinstance(value, Malformed):
        raise RecordError("JSON", value.reason)
    if not isinstance(value, dict):
        raise RecordError("record", "expected an object")
    unknown = sorted(str(field) for field in value if field not in _FIELDS)
    if unknown:
        raise RecordError(
            unknown[0], "is not a field of an item", hint=f"Fields: {', '.join(sorted(_FIELDS))}."
        )
    key = identifier(value, "id")
    if key is None:
        raise RecordError("id", "is missing")
    check_text("id", key, MAX_NAME_BYTES)
    question = without_image_token(text_of(value, "question"))
    check_text("question", question, MAX_QUESTION_BYTES)
    if not question:
        raise RecordError("question", "is empty")
    choices = _choices(value)
    answers = _answers(value) if choices is None else (_letter(value, choices),)
    context = text_of(value, "context") if value.get("context") is not None else None
    return Item(key, image_name(value), question, answers, _groups(value), choices, context or None)


def _choices(record: Mapping[str, object]) -> tuple[str, ...] | None:
    value = record.get("choices")
    if value is None:
        return None
    if not isinstance(value, list) or not 2 <= len(value) <= len(LETTERS):
        raise RecordError("choices", f"expected an array of 2 to {len(LETTERS)} strings")
    for choice in value:
        if not isinstance(choice, str) or not choice.strip():
            raise RecordError("choices", "expected strings that are not empty")
        check_text("choices", choice, MAX_QUESTION_BYTES)
    return tuple(value)


def _letter(record: Mapping[str, object], choices: tuple[str, ...]) -> str:
    """The right option's letter, from the letter itself or from the text of the choice."""
    answer = record.get("answer")
    if isinstance(answer, str) and answer in choices:
        return LETTERS[choices.index(answer)]
    if isinstance(answer, str) and len(answer) == 1 and answer in LETTERS[: len(choices)]:
        return answer
    raise RecordError("answer", f"is neither one of the choices nor a letter, but {answer!r}")


def _answers(record: Mapping[str, object]) -> tuple[str, ...]:
    if ("answer" in record) == ("answers" in record):
        raise RecordError("answers", "give either answer or answers")
    field = "answer" if "answer" in record else "answers"
    value = record[field]
    answers = value if isinstance(value, list) else [value]
    if not answers or (field == "answers" and not isinstance(value, list)):
        raise RecordError(field, "expected an array of at least one string")
    for answer in answers:
        if not isinstance(answer, str) or not answer.strip():
            raise RecordError(field, "expected a string that is not empty")
        check_text(field, answer, MAX_QUESTION_BYTES)
    return tuple(answers)


def _groups(record: Mapping[str, object]) -> dict[str, str]:
    value = record.get("groups", {})
    if not isinstance(value, dict):
        raise RecordError("groups", "expected an object")
    groups: dict[str, str] = {}
    for kind, label in value.items():
        if not isinstance(label, str | int | float):
            raise RecordError("groups", f"expected a string for {kind!a}")
        groups[kind] = str(label)
        check_text("groups", kind, MAX_NAME_BYTES)
        check_text("groups", groups[kind], MAX_NAME_BYTES)
    return groups
