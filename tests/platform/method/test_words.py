"""Numbers stand for the tokens that ROUGE-L's tokenizer gives, in any text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from comd_platform.method import words
from comd_platform.method.rouge import tokens
from comd_platform.method.words import Vocabulary, ranges

plain = st.lists(
    st.sampled_from(
        ["cat", "cats", "Cat,", "x-ray", "photographs", "photographic", "photogra", "7"]
    )
).map(" ".join)
texts = st.lists(st.text(max_size=40) | plain, max_size=9)


def tokens_of(found: words.Numbered, texts: list[str]) -> dict[int, str]:
    """What each number stands for; asserts that it is one token, and that texts have theirs."""
    assert found.lengths.tolist() == [len(tokens(text)) for text in texts]
    spelt = [token for text in texts for token in tokens(text)]
    meaning = dict(zip(found.numbers.tolist(), spelt, strict=True))
    assert [meaning[number] for number in found.numbers.tolist()] == spelt
    assert len(set(meaning.values())) == len(meaning)
    return meaning


@given(texts, texts)
@example(["\u212a elvin", "\u0130stanbul is", "a\0b\nc", "\ud800", ""], ["k elvin", "stanbul"])
@example(["a" * n for n in (7, 8, 9, 17)], ["a" * n + "b" for n in (8, 9, 12, 16, 23)])
@example(["a" * n + "b" for n in (12, 16, 23)], ["a" * n + "c" for n in (12, 16, 23)])
def test_numbers_are_the_tokens_and_stay_what_they_are(first: list[str], then: list[str]) -> None:
    vocabulary = Vocabulary()
    before = tokens_of(vocabulary.number(first), first)
    after = tokens_of(vocabulary.number(then), then)
    both = before | after
    assert all(both[number] == token for number, token in before.items())
    assert len(set(both.values())) == len(both)


def test_a_long_token_is_not_taken_for_a_short_one() -> None:
    """The 98th run of bytes has the number 97, which is an a: before it, bcde make bcdea."""
    found = [" ".join(f"t{number}" for number in range(97)), "photograbcde", "bcdea"]
    numbered = Vocabulary().number(found)
    assert len(tokens_of(numbered, found)) == 99


@given(texts)
def test_more_texts_than_are_cut_at_once_get_the_same_numbers(found: list[str]) -> None:
    at_once = Vocabulary().number(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "AT_ONCE", 2)
        in_parts = Vocabulary().number(found)
    assert in_parts.lengths.tolist() == at_once.lengths.tolist()
    for numbered in (in_parts, at_once):
        assert set(tokens_of(numbered, found).values()) == {
            t for text in found for t in tokens(text)
        }
    assert (in_parts.numbers.dtype, in_parts.lengths.dtype) == (np.uint32, np.int64)


@pytest.mark.parametrize("room", [0x110000, 1], ids=["characters", "numbers"])
def test_sequences_have_in_common_what_the_tokens_have(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ["a cat on a mat", "a dog on the mat", "", "mat", "photographs of a cat"]
    vocabulary = Vocabulary()
    characters = vocabulary.number(found).sequences()
    monkeypatch.setattr(words, "_CHARACTERS", room)
    sequences = vocabulary.number(found).sequences()
    assert {type(each) for each in sequences} == {str if room > 1 else list}
    expected = [[LCSseq.similarity(tokens(a), tokens(b)) for b in found] for a in found]
    for others in (characters, sequences):
        assert cdist(sequences, others, scorer=LCSseq.similarity).tolist() == expected


def test_a_number_may_be_a_surrogates() -> None:
    """55,296 and the numbers after it are characters that no text may hold."""
    many = " ".join(f"w{number}" for number in range(56_000))
    [first, other] = Vocabulary().number([many, "w55998 w55999 z"]).sequences()
    assert LCSseq.similarity(first, other) == 2


def test_ranges_follow_each_other() -> None:
    first, counts = np.array([5, 0, 9, 2]), np.array([2, 0, 1, 3])
    assert ranges(first, counts).tolist() == [5, 6, 9, 2, 3, 4]
    assert ranges(first[:0], counts[:0]).tolist() == []
