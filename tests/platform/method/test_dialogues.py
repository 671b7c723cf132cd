"""Records to single turns, single turns to dialogues (sections 3.1 and 3.3.1)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.method.dialogues import (
    DialogueError,
    SingleTurn,
    Turn,
    merge_turns,
    split_dialogues,
    to_single_turns,
)

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def said(*messages: str) -> list[dict[str, object]]:
    """Return a LLaVA conversation from "h: ..." and "g: ..." strings."""
    speakers = {"h": "human", "g": "gpt"}
    return [{"from": speakers[m[0]], "value": m[3:]} for m in messages]


@pytest.mark.parametrize(
    ("first", "question"),
    [
        ("<image>\nWhat is it?", "What is it?"),
        ("What is it?\n<image>", "What is it?"),
        ("What is it?", "What is it?"),
        ("Look: <image> What is it?", "Look: What is it?"),
        ("Look.\n<image>\nWhat is it?", "Look.\nWhat is it?"),
        ("  <image>  What\n\nis it? ", "What\n\nis it?"),
        ("a<image>b", "ab"),
    ],
)
def test_the_image_token_goes_with_the_space_around_it(first: str, question: str) -> None:
    assert to_single_turns(said(f"h: {first}", "g: A cat.")) == [Turn(question, "A cat.")]


def test_many_turns_become_single_ones() -> None:
    record = said("h: <image>\nWhat?", "g: A cat.", "h: Where?", "g: Here.", "h: Why?")
    assert to_single_turns(record) == [
        Turn("What?", "A cat."),
        Turn("Where?", "Here."),
        Turn("Why?", None),
    ]


def test_a_leading_answer_is_dropped() -> None:
    assert to_single_turns(said("g: Hello!", "h: <image> Who?", "g: Olaf")) == [
        Turn("Who?", "Olaf")
    ]


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ([], "no question"),
        (said("g: Hello!"), "no question"),
        (said("g: Hello!", "g: Hello!"), "turn 2: an answer follows"),
        (said("h: a", "h: b"), "turn 2: a question follows"),
        (said("h: a", "g: b", "g: c"), "turn 3: an answer follows"),
        (said("h: <image>"), "turn 1: the question is empty"),
        (said("h: a", "g:  "), "turn 2: the answer is empty"),
        (said("h: <image> a <image>"), "turn 1: a second <image>"),
        (said("h: <image> a", "g: b", "h: <image> c"), "turn 3: a second <image>"),
        ([{"from": "system", "value": "x"}], "turn 1: 'from'"),
        ([{"from": "human", "value": None}], "turn 1: 'value'"),
        ([{"from": "human"}], "turn 1: 'value'"),
    ],
)
def test_what_is_no_dialogue_is_named(record: list[dict[str, object]], what: str) -> None:
    with pytest.raises(DialogueError) as raised:
        to_single_turns(record)
    assert what in raised.value.message


turns = st.lists(
    st.builds(SingleTurn, st.uuids().map(str), st.text(min_size=1), st.text(min_size=1)),
    max_size=12,
    unique_by=lambda turn: turn.key,
)


@given(turns, st.integers(), st.none() | st.integers(1, 5))
def test_splitting_undoes_merging(given_: list[SingleTurn], seed: int, most: int | None) -> None:
    dialogues = merge_turns(given_, seed, most)
    assert split_dialogues(dialogues) == sorted(given_, key=lambda turn: turn.key)
    assert dialogues == merge_turns(given_[::-1], seed, most)
    sizes = [len(dialogue.turns) for dialogue in dialogues]
    assert all(sizes)
    if most is None:
        assert len(dialogues) == bool(given_)
    else:
        assert max(sizes, default=0) <= most
        assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_the_image_stands_first_in_half_of_the_dialogues() -> None:
    """2,000 draws of a fair coin: 1,000 within 5 sigma (112)."""
    first = sum(merge_turns([SingleTurn(str(n), "q", "a")], 3)[0].image_first for n in range(2000))
    assert abs(first - 1000) < 112


def test_another_seed_places_the_images_otherwise() -> None:
    def places(seed: int) -> list[bool]:
        return [merge_turns([SingleTurn(str(n), "q", "a")], seed)[0].image_first for n in range(64)]

    assert places(1) == places(1)
    assert places(1) != places(2)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="max_turns"):
        merge_turns([], 1, 0)
    with pytest.raises(ValueError, match="twice"):
        merge_turns([SingleTurn("a", "q", "a"), SingleTurn("a", "r", "b")], 1)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real LLaVA records are not on this machine")
def test_real_records_are_read() -> None:
    records = json.loads((DATA / "llava" / "blip_laion_cc_sbu_2k.json").read_text("utf-8"))
    singles = [to_single_turns(record["conversations"]) for record in records]
    assert len(singles) == 2183
    assert all(len(turns) == 1 and turns[0].answer for turns in singles)
    assert not any("<image>" in turn.question for turns in singles for turn in turns)
