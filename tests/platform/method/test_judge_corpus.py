"""Replies as GPT-4, LLaVA, Vicuna, Qwen and Gemini write them, with what a careful reader takes.

`corpus/judge_replies.jsonl`: one reply a line, `expected` null where a careful reader cannot tell.
A reply that was read wrongly goes in there first, and is mended then.
"""

# ruff: noqa: RUF001 - other languages are the point

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.method.judging import parse_scores

CORPUS = Path(__file__).parent / "corpus" / "judge_replies.jsonl"
REPLIES = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: ascii(reply["text"][:50]))
def test_a_reply_is_read_as_a_careful_reader_does(reply: dict[str, object]) -> None:
    expected = reply["expected"]
    text = reply["text"]
    assert isinstance(text, str)
    assert parse_scores(text) == (tuple(expected) if isinstance(expected, list) else None)


LABELLED = (
    "Assistant {0}: {1}",
    "**Assistant {0}**: {1}/10",
    "助手{0}：{1}分",
    "Asistente {0}: {1}/10",
)


@given(
    first=st.integers(0, 10),
    second=st.integers(0, 10),
    form=st.sampled_from(LABELLED),
    swapped=st.booleans(),
    before=st.sampled_from(("", "Sure!\n", "There are 3 cats and 2 dogs.\n\n", "评分如下：\n")),
    after=st.sampled_from(
        ("", "\n\nAssistant 1 counts 7 cars, Assistant 2 only 4.", "\n因为更准确。")
    ),
)
def test_order_language_and_surroundings_do_not_matter(
    first: int, second: int, form: str, swapped: bool, before: str, after: str
) -> None:
    lines = [form.format(1, first), form.format(2, second)]
    text = before + "\n".join(reversed(lines) if swapped else lines) + after
    assert parse_scores(text) == (first, second)
