"""Reader of JSON: `{"assistant_1": 8, "assistant_2": {"score": 9, "reason": "..."}}` and the like."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from comd_platform.method.judging.lexing import AMBIGUOUS, Ambiguous, Reply, Scores

# A reply is one object, perhaps with words around it; a text full of braces is something else.
_MAX_STARTS: Final = 16
_MAX_DEPTH: Final = 4
_START: Final = re.compile(r"\{|\[\s?\{")

_SLOT_KEY: Final = re.compile(
    r"\A(?:the)?(?:ai)?(?:assistant|answer|response|model|candidate|score|rating)?"
    r"(1|2|a|b|one|two|first|second)"
    r"(?:assistant|answer|response|model|candidate)?(?:final|overall|total)?(?:score|rating)?\Z"
)
_SCORES_KEYS: Final = (
    "scores",
    "ratings",
    "score",
    "rating",
    "result",
    "evaluation",
    "final_scores",
)
_VALUE_KEYS: Final = ("overall_score", "overall", "final_score", "score", "rating")
_NAME_KEYS: Final = ("assistant", "answer", "response", "model", "id", "name")
_FIRST: Final = frozenset({"1", "a", "one", "first"})
_OF_TEN: Final = re.compile(r"\A\s*(\d{1,3}(?:\.\d+)?)(?:\s*/\s*10|\s+out of\s+10)?\s*\Z")


def json_object(reply: Reply) -> Scores | Ambiguous | None:
    """Return the scores of the JSON objects in the reply; all that hold scores must agree."""
    found = {scores for value in _objects(reply.text) if (scores := _scores(value, 0)) is not None}
    if len(found) > 1:
        return AMBIGUOUS
    return next(iter(found), None)


def _objects(text: str) -> Iterator[object]:
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    position, starts = 0, 0
    while starts < _MAX_STARTS:
        match = _START.search(text, position)
        if match is None:
            return
        starts += 1
        try:
            value, position = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):  # not JSON from here on; the next brace may be
            position = match.start() + 1
        else:
            yield value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object; a key that stands twice with different values holds neither of them."""
    fields: dict[str, object] = {}
    for key, value in pairs:
        fields[key] = value if fields.get(key, value) == value else None
    return fields


def _scores(value: object, depth: int) -> Scores | None:
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, list):
        return _of_list(value, depth)
    if not isinstance(value, dict):
        return None
    fields = {str(key).lower().replace(" ", "_"): entry for key, entry in value.items()}
    by_slot: dict[int, set[float]] = {1: set(), 2: set()}
    for key, entry in fields.items():
        match = _SLOT_KEY.match(re.sub(r"[^a-z0-9]", "", key))
        number = _number(entry) if match is not None else None
        if match is not None and number is not None:
            by_slot[1 if match[1] in _FIRST else 2].add(number)
    if len(by_slot[1]) == len(by_slot[2]) == 1:
        return by_slot[1].pop(), by_slot[2].pop()
    for key in _SCORES_KEYS:
        nested = _scores(fields.get(key.replace(" ", "_")), depth + 1)
        if nested is not None:
            return nested
    return None


def _of_list(values: list[object], depth: int) -> Scores | None:
    """`[8, 9]` under a key, or `[{"assistant": 1, "score": 8}, ...]`, in any order of the two."""
    if len(values) != 2:
        return None
    numbers = [_number(value) for value in values]
    names = [_name(value) for value in values]
    if numbers[0] is None or numbers[1] is None:
        return None
    if names == [2, 1]:
        return numbers[1], numbers[0]
    if names in ([1, 2], [None, None]) and (depth > 0 or names[0] is not None):
        return numbers[0], numbers[1]
    return None


def _number(value: object) -> float | None:
    """Return a score: a number, `"8/10"`, or an object that holds one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if 0 <= value <= 100 else None
    if isinstance(value, str):
        match = _OF_TEN.match(value)
        return float(match[1]) if match is not None else None
    if isinstance(value, dict):
        fields = {
            str(key).lower().replace(" ", "_"): entry
            for key, entry in cast("Mapping[object, object]", value).items()
        }
        for key in _VALUE_KEYS:
            if key in fields and not isinstance(fields[key], dict):
                return _number(fields[key])
    return None


def _name(value: object) -> int | None:
    if not isinstance(value, dict):
        return None
    for key in _NAME_KEYS:
        if key in value:
            name = re.sub(r"[^a-z0-9]", "", str(value[key]).lower())
            match = _SLOT_KEY.match(name)
            if match is not None:
                return 1 if match[1] in _FIRST else 2
    return None
