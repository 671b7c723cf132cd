"""ROUGE-L and the acceptance walk (section 3.3.3), against Google's rouge_score."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from comd_platform.method import diversity
from comd_platform.method.diversity import (
    Characters,
    DiversityIndex,
    Nearest,
    TextOnlyIndex,
    Verdict,
    accept,
)
from comd_platform.method.rouge import normalised, rouge_l

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

reference = RougeScorer(["rougeL"], use_stemmer=False)

# Few words, so that texts share some; many lengths, so that the score lands on the threshold.
WORDS = "what is the cat on a mat doing Red red, 7 x-ray don't \u4f60\u597d \u00e9t\u00e9"
word = st.sampled_from(WORDS.split(" "))
text = st.lists(word, max_size=14).map(" ".join)


def theirs(a: str, b: str) -> float:
    return float(reference.score(a, b)["rougeL"].fmeasure)


@given(text, text)
def test_the_same_score_as_rouge_score(a: str, b: str) -> None:
    expected = 1.0 if normalised(a) == normalised(b) else theirs(a, b)
    assert rouge_l(a, b) == expected
    assert (rouge_l(a, b) < 0.7) == (expected < 0.7)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_scores_the_same(a: str, b: str) -> None:
    if normalised(a) != normalised(b):
        assert rouge_l(a, b) == pytest.approx(theirs(a, b), abs=1e-12)


@pytest.mark.parametrize("length", range(1, 41))
def test_the_same_decision_wherever_the_score_can_meet_the_threshold(length: int) -> None:
    """Every (common, n, m) up to 40 tokens, 0.7 among them: the digits must be rouge_score's."""
    for other in range(1, 41):
        for common in range(min(length, other) + 1):
            if abs(20 * common - 7 * (length + other)) > 7:
                continue  # far from the threshold
            a = " ".join(f"c{i}" for i in range(common)) + "".join(
                f" a{i}" for i in range(length - common)
            )
            b = " ".join(f"c{i}" for i in range(common)) + "".join(
                f" b{i}" for i in range(other - common)
            )
            assert rouge_l(a, b) == theirs(a, b)
            index = DiversityIndex([("a", a)])
            assert index.nearest(b).rouge_l == theirs(a, b)


def test_the_same_text_in_a_script_without_tokens_is_a_duplicate() -> None:
    assert theirs("\u4f60\u597d\u5417", "\u4f60\u597d\u5417") == 0.0
    assert rouge_l("\u4f60\u597d\u5417", " \u4f60\u597d\u5417\n") == 1.0
    assert rouge_l("\u4f60\u597d\u5417", "\u518d\u89c1") == 0.0
    verdicts = accept(
        [("b", "\u4f60\u597d\u5417"), ("c", "\u518d\u89c1")], [("a", "\u4f60\u597d\u5417")]
    )
    assert verdicts == [Verdict("b", False, 1.0, "a"), Verdict("c", True, 0.0, None)]


@given(st.lists(text, max_size=12), text)
def test_the_nearest_is_the_highest_of_all(existing: list[str], query: str) -> None:
    found = DiversityIndex((str(i), entry) for i, entry in enumerate(existing)).nearest(query)
    scores = [rouge_l(entry, query) for entry in existing]
    assert found.rouge_l == max(scores, default=0.0)
    if found.id is None:
        assert found.rouge_l == 0
    else:
        assert scores[int(found.id)] == found.rouge_l


texts = st.lists(
    text | st.sampled_from(["", "?!", "\uff32\uff45\uff44", "\u4f60\u597d"]), max_size=12
)


@given(texts, texts, st.sampled_from([(0, 256), (0, 3), (10**6, 1)]))
def test_many_at_once_get_the_verdicts_of_one_by_one(
    existing: list[str], candidates: list[str], sizes: tuple[int, int]
) -> None:
    held = [(f"e{i}", each) for i, each in enumerate(existing)]
    new = [(f"c{i}", each) for i, each in enumerate(candidates)]
    index = DiversityIndex(held)
    singly = [verdict for each in new for verdict in accept([each], index)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diversity, "_FEW", sizes[0])
        patch.setattr(diversity, "_ROWS", sizes[1])
        at_once = accept(new, held)
    assert at_once == singly
    accepted = [c for c, verdict in zip(candidates, at_once, strict=True) if verdict.accepted]
    assert len(index) == len(existing) + len(accepted)
    for number, verdict in enumerate(at_once):
        before = sum(other.accepted for other in at_once[:number])
        scores = [rouge_l(other, candidates[number]) for other in existing + accepted[:before]]
        assert verdict.rouge_l == max(scores, default=0.0)


def test_indices_that_share_their_characters_decide_as_others_do() -> None:
    shared = Characters()
    DiversityIndex([("x", "words of another image")], shared)
    index = DiversityIndex([("a", "what color is the small cat")], shared)
    assert index.nearest("what color is the small dog") == Nearest(pytest.approx(5 / 6), "a")
    assert shared.encode("Another: small-cat?") == shared.encode("another SMALL cat")
    assert not shared.full


def test_a_candidate_is_compared_with_those_accepted_before_it_only() -> None:
    verdicts = accept(
        [
            ("b", "what color is the small cat"),
            ("c", "what color is the small dog"),  # too near to b
            ("d", "who holds that dog over there"),
        ],
        [("a", "how many people are in the picture")],
    )
    assert [(verdict.id, verdict.accepted) for verdict in verdicts] == [
        ("b", True),
        ("c", False),
        ("d", True),
    ]
    assert verdicts[1].nearest_id == "b"
    assert verdicts[1].rouge_l == pytest.approx(5 / 6)


def test_at_the_threshold_itself_a_candidate_is_rejected() -> None:
    a = "a b c d e f g h i j"
    b = "a b c d e f g x y z"
    score = theirs(a, b)
    assert accept([("b", b)], [("a", a)], threshold=score)[0].accepted is False
    assert accept([("b", b)], [("a", a)], threshold=score + 1e-9)[0].accepted is True


def test_an_index_may_be_handed_in_and_grows() -> None:
    index = DiversityIndex()
    assert index.nearest("anything") == Nearest(0.0, None)
    accept([("a", "what is it"), ("b", "what is it")], index)
    assert len(index) == 1


def test_the_threshold_must_be_one() -> None:
    with pytest.raises(ValueError, match="threshold"):
        accept([], [], threshold=70)


def test_tokens_whose_number_is_a_surrogate_are_compared_too() -> None:
    """The 55,998th distinct token is encoded as a code point that no text may hold."""
    many = " ".join(f"w{number}" for number in range(56_000))
    index = DiversityIndex([("many", many), ("last", "w55998 w55999 z")])
    assert index.nearest("w55998 w55999 y").id == "last"


# without an image ----------------------------------------------------------------------------


def _variants(count: int) -> list[tuple[str, str]]:
    """Pairs of texts at and above the threshold: some words of the first are replaced."""
    generator = random.Random(5)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        length = generator.randint(6, 24)
        words = [f"w{generator.randrange(3000)}" for _ in range(length)]
        changed = [
            f"v{generator.randrange(3000)}" if generator.random() < 0.25 else w for w in words
        ]
        if rouge_l(" ".join(words), " ".join(changed)) >= 0.7:
            pairs.append((" ".join(words), " ".join(changed)))
    return pairs


def test_lsh_finds_the_near_ones_and_gives_the_exact_score() -> None:
    pairs = _variants(400)
    index = TextOnlyIndex((str(number), first) for number, (first, _) in enumerate(pairs))
    missed = 0
    for number, (first, second) in enumerate(pairs):
        nearest = index.nearest(second)
        missed += nearest.rouge_l < 0.7
        if nearest.id == str(number):
            assert nearest.rouge_l == rouge_l(first, second)
    assert missed <= 2


def test_text_only_acceptance_is_that_of_the_exact_index() -> None:
    texts = [text for pair in _variants(60) for text in pair] + [
        "\u4f60\u597d\u5417",
        "\u4f60\u597d\u5417",
        "",
    ]
    entries = [(str(number), entry) for number, entry in enumerate(texts)]
    exact = [verdict.accepted for verdict in accept(entries, DiversityIndex())]
    near = [verdict.accepted for verdict in accept(entries, TextOnlyIndex())]
    assert near == exact
    assert exact.count(False) > 50


@pytest.mark.skipif(not DATA.is_dir(), reason="the real questions are not on this machine")
def test_real_questions_get_the_same_decisions() -> None:
    path = DATA / "llava" / "coco2014_val_gpt4_qa_30x3.jsonl"
    questions = [json.loads(line)["instruction"] for line in path.read_text("utf-8").splitlines()]
    accepted: list[str] = []
    for number, verdict in enumerate(accept([(str(i), q) for i, q in enumerate(questions)], [])):
        question = questions[number]
        assert verdict.accepted == all(theirs(other, question) < 0.7 for other in accepted)
        if verdict.accepted:
            accepted.append(question)
    assert 0 < len(accepted) < len(questions)
