"""What augmentors write beside the instruction they were asked for, and what becomes of it.

`corpus/augmentor_replies.jsonl`: parent, raw reply, and the instruction in it or the reason why there
is none. A reply that was read wrongly goes in there first, and is mended then.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comd_platform.importers.llava import read_llava
from comd_platform.importers.records import SourceRecord
from comd_platform.method.augmenting import RejectReason, parse_instruction

CORPUS = Path(__file__).parent / "corpus" / "augmentor_replies.jsonl"
REPLIES = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: ascii(reply["raw"][:50]))
def test_a_reply_is_one_instruction_or_has_a_reason(reply: dict[str, str | None]) -> None:
    raw, parent = reply["raw"], reply["parent"]
    assert raw is not None
    assert parent is not None
    parsed = parse_instruction(raw, parent)
    assert (parsed.text, parsed.reason) == (reply["text"], reply["reason"])


@pytest.mark.parametrize("name", ["qa90_questions.jsonl", "coco2014_val_gpt4_qa_30x3.jsonl"])
def test_every_real_question_is_an_instruction(shared_data: Path, name: str) -> None:
    for record in read_llava(shared_data / "llava" / name, lambda done: None):
        assert isinstance(record, SourceRecord)
        for turn in record.turns:
            assert parse_instruction(turn.question, "Who?").text == turn.question


def test_most_real_answers_are_not(shared_data: Path) -> None:
    """Of GPT-4's 90 answers: what begins like an order or a question is let through, and no more."""
    records = read_llava(shared_data / "llava" / "qa90_gpt4_answer.jsonl", lambda done: None)
    answers = [record.turns[0].question for record in records if isinstance(record, SourceRecord)]
    reasons = [parse_instruction(answer, "Who is it?").reason for answer in answers]
    assert len(reasons) == 90
    rejected = {RejectReason.ANSWER, RejectReason.TOO_LONG}
    assert sum(reason in rejected for reason in reasons) >= 85


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit", ["Q: ", "**a:** ", "Sure! ", "What? ", "<think>", '{"question": ', "1. ", '"', "\n- "]
)
def test_100_kb_of_repetition_come_to_an_end(unit: str) -> None:
    parsed = parse_instruction(unit * (100_000 // len(unit)), "What color is the car?")
    assert (parsed.text is None) != (parsed.reason is None)
