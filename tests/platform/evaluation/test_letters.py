"""Which option a reply names: what people's models write, and what must not be read into it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.evaluation.letters import LETTERS, read_option

READ = {
    "B": "B",
    "b": "B",
    "(B)": "B",
    "B.": "B",
    "B:": "B",
    "[B]": "B",
    "'B'": "B",
    " B \n": "B",
    "**B**": "B",
    "\uff22": "B",
    "\u201cB\u201d": "B",
    "B \u2014 west": "B",
    "(b)": "B",
    "B. west": "B",
    "B) west": "B",
    "(B) west": "B",
    "B: west": "B",
    "**B.** west": "B",
    "B - west": "B",
    "B, because it is west": "B",
    "B because it is west": "B",
    "B\n\nThe picture shows it.": "B",
    "Option B": "B",
    "Answer: B": "B",
    "Answer: B. west": "B",
    "Answer:\nB": "B",
    "answer = C": "C",
    "The answer is B.": "B",
    "The answer is B": "B",
    "The answer is (B).": "B",
    "The answer is A.": "A",
    "The answer is A because of the wind.": "A",
    "The answer is C: Boston": "C",
    "the correct answer is: b.": "B",
    "The best answer is option C.": "C",
    "The correct choice is (D)": "D",
    "Final answer: **C**": "C",
    "Option B is correct.": "B",
    "I would choose B.": "B",
    "$\\boxed{\\text{B}}$": "B",
    "\\boxed{\\mathbf{B}}": "B",
    "\\boxed{(B)}": "B",
    "The answer is $B$.": "B",
    "The correct answer is (B) west": "B",
    "B. Option A is wrong, and C is far.": "B",
    "Ans: B": "B",
    "<answer>B</answer>": "B",
    "B</s>": "B",
    "B<|im_end|>": "B",
    "\u3010B\u3011": "B",
    "(b) west": "B",
    "b) west": "B",
    "A boat has a sail. So it is west.\n**B**": "B",
    "A. west\nB. east\nThe answer is B.": "B",
    "B. west. The answer is B.": "B",
    "So, the best answer is B. The answer is B.": "B",
}

UNREADABLE = (
    "",
    "west",
    "FAILED",
    "N/A",
    "A cat is here",
    "The answer is a dog",
    "The answer is A dog",
    "The answer is Boston.",
    "The answer is not B.",
    "The answer is B or C.",
    "The answer is either B or C",
    "B or C",
    "A and B",
    "Both A and B",
    "A. B",
    "The answer is A. B",
    "B</s>A",
    "(a) west (b) east",
    "\\boxed{A} or \\boxed{B}",
    "1",
    "A, B",
    "B,C",
    "A/B",
    "AB",
    "A. west B. east",
    "A. west\nB. east",
    "(A) west (B) east",
    "Option A is incorrect.",
    'Choice "Feb" is incorrect',
    "B. west. The answer is C.",
    "The answer is B. So, the answer is C.",
    "The answer is B. And so on. The answer is B.",
    "I think it is B",
    "The answer is E.",
    "E",
)


@pytest.mark.parametrize(("reply", "letter"), READ.items())
def test_read(reply: str, letter: str) -> None:
    assert read_option(reply, 4) == LETTERS.index(letter)


@pytest.mark.parametrize("reply", UNREADABLE)
def test_unreadable(reply: str) -> None:
    assert read_option(reply, 4) is None


def test_only_letters_of_the_questions_options_count() -> None:
    assert read_option("The answer is D.", 4) == 3
    assert read_option("The answer is D.", 3) is None
    with pytest.raises(ValueError, match="0 options"):
        read_option("A", 0)


@given(st.text(), st.integers(1, 26))
def test_whatever_is_said_nothing_outside_the_options_is_read(reply: str, count: int) -> None:
    assert read_option(reply, count) in {None, *range(count)}


@given(st.sampled_from(sorted(READ)), st.integers(2, 26))
def test_more_options_never_change_what_is_read(reply: str, count: int) -> None:
    option = read_option(reply, count)
    assert option is None or read_option(reply, 26) == option


def test_what_llavas_own_script_reads_in_a_real_file(shared_data: Path) -> None:
    """Its rule on GPT-3.5's outputs: "The answer is X." exactly once, and X an option."""
    folder = shared_data / "scienceqa"
    outputs = json.loads((folder / "gpt3_final_test_QCM-ALE_2_seed_3.json").read_text())["outputs"]
    for line in (folder / "scienceqa_test_meta.jsonl").read_text().splitlines():
        problem = json.loads(line)
        reply, count = outputs[problem["id"]], problem["n_choices"]
        stated = re.findall("The answer is ([A-Z]).", reply)
        index = LETTERS.index(stated[0]) if len(stated) == 1 else count
        assert read_option(reply, count) == (index if index < count else None), reply
