"""One LLaVA record at a time: what it means, and how a bad one is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.importers.json_records import Malformed
from comd_platform.importers.llava import parse_record
from comd_platform.importers.records import (
    BadRecord,
    RecordError,
    SourceRecord,
    check_record,
)
from comd_platform.method.dialogues import Turn


def turn(speaker: str, value: object) -> dict[str, object]:
    return {"from": speaker, "value": value}


def talk(*values: str, **fields: object) -> dict[str, object]:
    """A record whose speakers alternate, the human first."""
    speakers = ("human", "gpt")
    return {
        "id": "7",
        "image": "a.png",
        "conversations": [turn(speakers[n % 2], value) for n, value in enumerate(values)],
        **fields,
    }


def test_a_conversation_becomes_single_turns_without_the_image_token() -> None:
    record = talk("<image>\nWhat is it?", "A cat.", "Where?\n", "On the mat.", task_type="conv")
    assert parse_record(3, record) == SourceRecord(
        3,
        "7",
        "a.png",
        (Turn("What is it?", "A cat."), Turn("Where?", "On the mat.")),
        "conversation",
    )


@pytest.mark.parametrize(
    ("record", "question", "answer", "kind"),
    [
        (
            {"question_id": 4, "image": "a.png", "text": "Colour?", "category": "conv"},
            "Colour?",
            None,
            "conversation",
        ),
        (
            {
                "id": "4",
                "image": "a.png",
                "instruction": "Colour?",
                "output": " Red. ",
                "type": "x",
            },
            "Colour?",
            "Red.",
            "x",
        ),
        ({"id": 4, "image": "a.png", "instruction": "Colour?\n<image>"}, "Colour?", None, None),
    ],
)
def test_question_and_answer_layouts(
    record: dict[str, object], question: str, answer: str | None, kind: str | None
) -> None:
    expected = SourceRecord(1, "4", "a.png", (Turn(question, answer),), kind)
    assert parse_record(1, record) == expected


def test_a_leading_answer_is_dropped_and_a_trailing_question_kept() -> None:
    record = talk("Q")
    record["conversations"] = [turn("gpt", "Hello"), turn("human", "Q1 <image>"), turn("gpt", "A")]
    parsed = parse_record(1, record)
    assert isinstance(parsed, SourceRecord)
    assert parsed.turns == (Turn("Q1", "A"),)
    parsed = parse_record(1, talk("<image>\nQ1", "A1", "Q2"))
    assert isinstance(parsed, SourceRecord)
    assert parsed.turns == (Turn("Q1", "A1"), Turn("Q2", None))


BAD: list[tuple[object, str, str]] = [
    (5, "record", "an object"),
    (None, "record", "an object"),
    ([], "record", "an object"),
    (Malformed("the line is no JSON"), "JSON", "no JSON"),
    ({}, "record", "none of the fields"),
    ({"id": 1, "image": "a.png"}, "record", "none of the fields"),
    (talk("<image>\nQ", "A", image=5), "image", "the number 5"),
    (talk("<image>\nQ", "A", image=["a.png", "b.png"]), "image", "an array"),
    (talk("<image>\nQ", "A", image={}), "image", "an object"),
    (talk("<image>\nQ", "A", image=True), "image", "a truth value"),
    (talk("<image>\nQ", "A", image=""), "image", "empty"),
    (talk("<image>\nQ", "A", image="../../etc/passwd"), "image", "leaves"),
    (talk("<image>\nQ", "A", image="/etc/passwd"), "image", "absolute"),
    (talk("<image>\nQ", "A", image="http://host/a.png"), "image", "URL"),
    (talk("<image>\nQ", "A", image="file:///a.png"), "image", "URL"),
    (talk("<image>\nQ", "A", image="a\0.png"), "image", "NUL"),
    (talk("<image>\nQ", "A", image="\ud800.png"), "image", "surrogate"),
    (talk("<image>\nQ", "A", image="a" * 2000), "image", "2,000 bytes"),
    (talk("<image>\nQ", "A", image=None), "conversations", "names no picture"),
    ({"id": 1, "text": "<image> What?"}, "text", "names no picture"),
    ({"id": 1, "image": "a.png", "text": "<image> or <image>?"}, "text", "second <image>"),
    ({"id": 1, "image": "a.png", "text": 5}, "text", "the number 5"),
    ({"id": 1, "image": "a.png", "instruction": None}, "instruction", "null"),
    ({"id": 1, "image": "a.png", "instruction": "Q", "output": []}, "output", "an array"),
    (talk("Q", conversations=None), "conversations", "array of objects"),
    (talk("Q", conversations={}), "conversations", "array of objects"),
    (talk("Q", conversations=["Q", "A"]), "conversations", "array of objects"),
    (talk("Q", conversations=[]), "conversations", "no question"),
    (talk("Q", conversations=[turn("gpt", "A")]), "conversations", "no question"),
    (talk("Q", conversations=[turn("human", 5)]), "conversations", "turn 1"),
    (talk("Q", conversations=[{"from": "human"}]), "conversations", "turn 1"),
    (talk("Q", conversations=[turn("system", "x")]), "conversations", "turn 1"),
    (
        talk("Q", conversations=[turn("human", "Q"), turn("human", "Q")]),
        "conversations",
        "turn 2",
    ),
    (
        talk("Q", conversations=[turn("human", "Q"), turn("gpt", "A"), turn("gpt", "A")]),
        "conversations",
        "turn 3",
    ),
    (talk("<image>\n"), "conversations", "turn 1"),
    (talk("<image>", "A", "  ", "A"), "conversations", "turn 1"),
]


@pytest.mark.parametrize(("value", "field", "reason"), BAD)
def test_a_bad_record_says_where_and_why(value: object, field: str, reason: str) -> None:
    parsed = parse_record(9, value)
    assert isinstance(parsed, BadRecord)
    assert (parsed.position, parsed.field) == (9, field)
    assert reason in parsed.reason
    assert len(str(parsed)) < 500


@pytest.mark.parametrize(
    ("record", "field", "reason"),
    [
        (talk("Q\0?"), "question", "NUL"),
        (talk("Q\ud83d?"), "question", "surrogate"),
        (talk("Q", "A\0"), "answer", "NUL"),
        (talk("Q1", "A1", "Q2", "A2\udc00"), "answer 2", "surrogate"),
        (talk("Q1", "A1", "x" * 70_000, "A2"), "question 2", "70,000 bytes"),
        (talk("ü" * 40_000), "question", "80,000 bytes"),
        (talk("x" * 10_000_000), "question", "10,000,000 bytes"),
        (talk("Q", id="a\0b"), "id", "NUL"),
        (talk("Q", task_type="a\0b"), "task_type", "NUL"),
        ({"id": 1, "text": "What is love?"}, "image", "names no picture"),
        ({"id": 1, "image": "a.png", "text": "<im<image>age>"}, "question", "<image>"),
        ({"id": 1, "image": "a.png", "text": " \n "}, "question", "is empty"),
    ],
)
def test_what_cannot_be_stored_is_refused(
    record: dict[str, object], field: str, reason: str
) -> None:
    parsed = parse_record(1, record)
    assert isinstance(parsed, SourceRecord)
    with pytest.raises(RecordError, match=reason) as error:
        check_record(parsed, text_only=False)
    assert error.value.field == field


def test_long_answers_and_text_only_questions_are_taken_when_asked() -> None:
    parsed = parse_record(1, {"id": 1, "instruction": "What is love?", "output": "x" * 10_000_000})
    assert isinstance(parsed, SourceRecord)
    check_record(parsed, text_only=True)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
speakers = st.sampled_from(["human", "gpt"])
sayings = st.sampled_from(["<image>\n", "", "\0", "\ud800"]).flatmap(
    lambda head: st.text(max_size=10).map(lambda tail: head + tail)
)
odd_records = st.fixed_dictionaries(
    {},
    optional={
        "id": anything,
        "image": st.sampled_from(["a.png", "../a", ""]) | anything,
        "task_type": anything,
        "conversations": st.lists(
            st.fixed_dictionaries({"from": speakers, "value": sayings}) | anything, max_size=4
        )
        | anything,
        "instruction": sayings | anything,
        "output": sayings | anything,
        "text": sayings | anything,
    },
)


@given(odd_records | anything)
def test_no_value_at_all_breaks_the_parser(value: object) -> None:
    parsed = parse_record(1, value)
    if isinstance(parsed, BadRecord):
        json.dumps(parsed.reason)
        return
    assert parsed.turns
    try:
        check_record(parsed, text_only=True)
    except RecordError:
        return
    for asked in parsed.turns:
        assert asked.question == asked.question.strip() != ""
        assert "<image>" not in asked.question
        asked.question.encode()


plain = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).map(
    lambda value: f"Q {value} ?"
)


@given(
    questions=st.lists(st.tuples(plain, plain), min_size=1, max_size=5),
    image_first=st.booleans(),
    leading=st.booleans(),
)
def test_every_ordinary_conversation_comes_out_turn_by_turn(
    questions: list[tuple[str, str]], image_first: bool, leading: bool
) -> None:
    first = questions[0][0]
    shown = f"<image>\n{first}" if image_first else f"{first}\n<image>"
    values = [value for pair in questions for value in pair]
    record = talk(shown, *values[1:])
    if leading:
        conversations = record["conversations"]
        assert isinstance(conversations, list)
        record["conversations"] = [turn("gpt", "Hi."), *conversations]
    parsed = parse_record(1, record)
    assert isinstance(parsed, SourceRecord)
    assert [(asked.question, asked.answer) for asked in parsed.turns] == questions
