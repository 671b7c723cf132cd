"""ROUGE-L and the acceptance walk (section 3.3.3), against Google's rouge_score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from comd_platform.method import diversity
from comd_platform.method.diversity import Entries, Group, Verdict, accept, accept_all
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
            assert accept([("b", b)], [("a", a)])[0].rouge_l == theirs(a, b)


def test_the_same_text_in_a_script_without_tokens_is_a_duplicate() -> None:
    assert theirs("\u4f60\u597d\u5417", "\u4f60\u597d\u5417") == 0.0
    assert rouge_l("\u4f60\u597d\u5417", " \u4f60\u597d\u5417\n") == 1.0
    assert rouge_l("\u4f60\u597d\u5417", "\u518d\u89c1") == 0.0
    verdicts = accept(
        [("b", "\u4f60\u597d\u5417"), ("c", "\u518d\u89c1")], [("a", "\u4f60\u597d\u5417")]
    )
    assert verdicts == [Verdict("b", False, 1.0, "a"), Verdict("c", True, 0.0, None)]


def walked(group: Group, threshold: float) -> list[Verdict]:
    """One comparison after the other, of the earliest that is nearest; the same text first."""
    held, verdicts = list(group.existing), []
    for name, candidate in group.candidates:
        scores = [(rouge_l(other, candidate), other_id) for other_id, other in held]
        same = [(1.0, i) for i, other in held if normalised(other) == normalised(candidate)]
        best, nearest = max(same[:1] or scores, key=lambda each: each[0], default=(0.0, ""))
        accepted = best < threshold
        verdicts.append(Verdict(name, accepted, best, nearest if best else None))
        held += [(name, candidate)] if accepted else []
    return verdicts


def named(texts: list[str], letter: str) -> Entries:
    return [(f"{letter}{number}", each) for number, each in enumerate(texts)]


texts = st.lists(
    text | st.sampled_from(["", "?!", "\uff32\uff45\uff44", "red", "\u4f60\u597d", "7?"]),
    max_size=9,
)
groups = st.lists(
    st.tuples(texts, texts).map(lambda pair: Group(named(pair[0], "e"), named(pair[1], "c"))),
    max_size=6,
)


@pytest.mark.parametrize(
    ("few", "at_once", "pairs"),
    [(64, 6000, 2**20), (1, 6000, 2**20), (10**6, 6000, 2**20), (9, 4, 25), (64, 1, 1)],
    ids=["as it is", "matrices only", "pairs only", "a few at a time", "in parts"],
)
@given(groups, st.sampled_from([0.0, 0.5, 0.7, 1.0]))
def test_many_images_at_once_get_the_verdicts_of_one_comparison_after_the_other(
    few: int, at_once: int, pairs: int, groups: list[Group], threshold: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diversity, "_FEW", few)
        patch.setattr(diversity, "_TEXTS", at_once)
        patch.setattr(diversity, "_PAIRS", pairs)
        found = list(accept_all(groups, threshold))
    assert found == [verdict for group in groups for verdict in walked(group, threshold)]


@pytest.mark.parametrize(
    ("existing", "candidate"),
    [
        (["red?", "red", "Red"], "RED"),  # the same tokens in all
        (["red rug", "\uff32\uff45\uff44 cat"], "red cat"),
        (["red rug", "red cat"], "\uff32\uff45\uff44 cat"),
        (["?", "!", "? "], "!"),
    ],
)
def test_the_same_text_is_the_nearest_whatever_the_tokens_say(
    existing: list[str], candidate: str
) -> None:
    verdicts = accept([("c", candidate)], named(existing, "e"))
    assert verdicts == [Verdict("c", False, 1.0, "e1")]


def test_no_more_pairs_are_scored_at_once_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    score = diversity._Batch

    def noted(groups: Sequence[Group]) -> diversity._Batch:
        sizes.append(sum(len(new) * len(held) + len(new) ** 2 // 2 for held, new in groups))
        return score(groups)

    monkeypatch.setattr(diversity, "_PAIRS", 100)
    monkeypatch.setattr(diversity, "_Batch", noted)
    small = Group(named(["a b", "c d", "e f"], "e"), named(["g h"] * 9, "c"))
    large = Group(named(["a b"] * 9, "e"), named(["c d"] * 40, "c"))
    assert len(list(accept_all([small, small, small, large, small]))) == 4 * 9 + 40
    assert max(sizes) <= 100 + 4
    assert len(sizes) > 4


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


def test_the_threshold_must_be_one() -> None:
    with pytest.raises(ValueError, match="threshold"):
        accept_all([], threshold=70)


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
