"""What an augmentor wrote, as an instruction or a reason (section 3.3.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.method.augmenting import Parsed, RejectReason, parse_instruction

PARENT = "What is the dog doing?"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("What color is the bus?", "What color is the bus?"),
        ("  What color is the bus?\n", "What color is the bus?"),
        ("what is olaf 's food ?</s>", "what is olaf 's food ?"),
        ('"What color is the bus?"', "What color is the bus?"),
        ("\u201cWhat color is the bus?\u201d", "What color is the bus?"),
        ("**What color is the bus?**", "What color is the bus?"),
        ("1. What color is the bus?", "What color is the bus?"),
        ("- What color is the bus?", "What color is the bus?"),
        ("Question: What color is the bus?", "What color is the bus?"),
        ("**Question:** What color is the bus?", "What color is the bus?"),
        ("**New instruction**: Count the cups.", "Count the cups."),
        ("New question: What color is the bus?", "What color is the bus?"),
        ("ASSISTANT: What color is the bus?", "What color is the bus?"),
        ("Sure! Here is a new question:\n\nWhat color is the bus?", "What color is the bus?"),
        (
            'Here\'s one about the same image: "How many cups are there?"',
            "How many cups are there?",
        ),
        ("Certainly! What color is the bus?", "What color is the bus?"),
        ("My new question is: What color is the bus?", "What color is the bus?"),
        ("1. What is it?\n2. Where is it?\n3. Why?", "What is it?"),
        ("Question 1: Where?\nQuestion 2: Who?", "Where?"),
        ("What is it?\nWhere is it?", "What is it?"),
        ("Question: Who?\nAnswer: Olaf", "Who?"),
        ("Who?\nA: Olaf", "Who?"),
        ("Who?\n\nThis question asks for a name.", "Who?"),
        ("Who is it?\nNote: this is easy", "Who is it?"),
        # one instruction of several lines stays whole
        ("What is it?\nA. a cat\nB. a dog", "What is it?\nA. a cat\nB. a dog"),
        ("What is it?\nA: a cat\nB: a dog", "What is it?\nA: a cat\nB: a dog"),
        ("Context: it is night.\nWhat is it?", "Context: it is night.\nWhat is it?"),
        # what looks like a surrounding and is none
        ("Describe the image in detail.", "Describe the image in detail."),
        ("Is the cat: black or white?", "Is the cat: black or white?"),
        ("The man on the left: who is he?", "The man on the left: who is he?"),
        ('What does the sign "STOP" mean?', 'What does the sign "STOP" mean?'),
        ("There are two dogs. Which one is larger?", "There are two dogs. Which one is larger?"),
        ("In the image, what is red?", "In the image, what is red?"),
        ("Sure-footed animals: which do you see?", "Sure-footed animals: which do you see?"),
    ],
)
def test_the_instruction_is_found(raw: str, text: str) -> None:
    assert parse_instruction(raw, PARENT) == Parsed(text, None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", RejectReason.EMPTY),
        (" \n ", RejectReason.EMPTY),
        ("</s>", RejectReason.EMPTY),
        ("...?", RejectReason.EMPTY),
        ("I'm sorry, but I cannot see the image.", RejectReason.REFUSAL),
        ("As an AI language model, I cannot do that.", RejectReason.REFUSAL),
        ("The image shows a dog on a lawn.", RejectReason.ANSWER),
        ("Yes, it is.", RejectReason.ANSWER),
        ("There are three cups on the table.", RejectReason.ANSWER),
        ("Answer: a dog", RejectReason.ANSWER),
        ("What is {{ object }}?", RejectReason.TEMPLATE_LEAK),
        ("[INST] What is it? [/INST]", RejectReason.TEMPLATE_LEAK),
        ("What is it? ASSISTANT: a dog", RejectReason.TEMPLATE_LEAK),
        ("what is the dog doing", RejectReason.REPEATS_PARENT),
        ("Here is a new question: What is  the dog doing ?", RejectReason.REPEATS_PARENT),
        ("Why is it " + "very " * 300 + "red?", RejectReason.TOO_LONG),
    ],
)
def test_what_is_no_instruction_has_a_reason(raw: str, reason: RejectReason) -> None:
    assert parse_instruction(raw, PARENT) == Parsed(None, reason)


def test_the_length_is_the_callers() -> None:
    assert parse_instruction("Who is it?", PARENT, max_characters=5).reason is RejectReason.TOO_LONG


def test_instructions_in_other_scripts() -> None:
    assert (
        parse_instruction("\u72d7\u5728\u54ea\u91cc\uff1f", "\u732b\u5728\u54ea\u91cc\uff1f").text
        == "\u72d7\u5728\u54ea\u91cc\uff1f"
    )
    changed = parse_instruction("\u72d7\u5728\u54ea\u91cc\uff1f", PARENT)
    assert changed.reason is RejectReason.OTHER_LANGUAGE
    repeated = parse_instruction("\u72d7\u5728\u54ea\u91cc", "\u72d7\u5728\u54ea\u91cc\uff1f")
    assert repeated.reason is RejectReason.REPEATS_PARENT


@given(st.text(max_size=200), st.text(max_size=40))
def test_it_never_raises_and_always_decides(raw: str, parent: str) -> None:
    parsed = parse_instruction(raw, parent)
    assert (parsed.text is None) != (parsed.reason is None)


@given(st.text(alphabet='Sure! Here is: Question 1."*_`-?\n{}A', max_size=120))
def test_what_was_cleaned_is_clean(raw: str) -> None:
    parsed = parse_instruction(raw, PARENT)
    if parsed.text is not None:
        assert parsed.text == parsed.text.strip()
        assert any(character.isalnum() for character in parsed.text)


def test_reasons_are_what_the_database_stores() -> None:
    assert [str(reason) for reason in RejectReason] == [
        "empty",
        "refusal",
        "answer",
        "template_leak",
        "repeats_parent",
        "too_long",
        "other_language",
        "garbled",
    ]
