"""Near-duplicates are those of comparing every pair, found without comparing every pair."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.method import near_duplicates
from comd_platform.method.near_duplicates import Match, NearTexts, clusters
from comd_platform.method.rouge import rouge_l

words = st.lists(st.sampled_from(["a", "the", "cat", "dog", "red", "is"]), min_size=1, max_size=9)
texts = st.one_of(st.text(max_size=20), words.map(" ".join))


def exhaustive(found: list[str], threshold: float) -> list[list[int]]:
    """Groups by comparing every pair and walking the graph."""
    near = {
        number: [
            other
            for other in range(len(found))
            if other != number and rouge_l(found[number], found[other]) >= threshold
        ]
        for number in range(len(found))
    }
    groups, left = [], set(near)
    while left:
        open_ends, group = [min(left)], set()
        while open_ends:
            number = open_ends.pop()
            if number not in group:
                group.add(number)
                open_ends += near[number]
        left -= group
        groups.append(sorted(group))
    return sorted((g for g in groups if len(g) > 1), key=lambda group: (-len(group), group))


def variations(count: int, seed: int) -> list[str]:
    """Sentences, each followed by copies of it with some words exchanged."""
    chance = random.Random(seed)
    made: list[str] = []
    for _ in range(count):
        base = [f"w{chance.randrange(600)}" for _ in range(chance.randint(4, 20))]
        made.append(" ".join(base))
        for _ in range(chance.randint(0, 3)):
            other = [w if chance.random() < 0.9 else f"x{chance.randrange(99)}" for w in base]
            made.append(" ".join(other))
    chance.shuffle(made)
    return made


def by_pair(matches: Iterable[Match]) -> dict[tuple[int, int], float]:
    return {(match.left, match.right): match.rouge_l for match in matches}


@pytest.mark.parametrize("threshold", [0.7, 0.8, 0.9, 1.0])
def test_clusters_are_those_of_comparing_every_pair(threshold: float) -> None:
    found = variations(120, seed=round(threshold * 10))
    wanted = exhaustive(found, threshold)
    assert clusters(found, threshold) == wanted
    assert wanted


@pytest.mark.parametrize("threshold", [0.7, 0.9])
def test_matches_are_those_of_comparing_every_pair(threshold: float) -> None:
    found = variations(150, seed=3)
    left, right = found[:200], found[200:]
    wanted = {
        (i, j): rouge_l(a, b)
        for i, a in enumerate(left)
        for j, b in enumerate(right)
        if rouge_l(a, b) >= threshold
    }
    matches = NearTexts(right, threshold).matches(left)
    assert by_pair(matches) == wanted
    assert len(wanted) > 20
    assert [(m.left, m.right) for m in matches] == sorted(wanted)


@given(st.lists(texts, max_size=10), st.lists(texts, max_size=10))
def test_matching_is_symmetric_and_never_reports_what_is_not_there(
    some: list[str], others: list[str]
) -> None:
    forth = by_pair(NearTexts(others, 0.8).matches(some))
    back = by_pair(NearTexts(some, 0.8).matches(others))
    assert forth == {(left, right): score for (right, left), score in back.items()}
    for (left, right), score in forth.items():
        assert score == rouge_l(some[left], others[right]) >= 0.8


@given(st.lists(texts, min_size=1, max_size=10), st.data())
def test_the_same_text_is_always_found(found: list[str], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(found) - 1))
    copy = f"  {found[number].upper().lower()} "
    if rouge_l(copy, found[number]) < 1:  # changing case changes some letters for good
        copy = found[number]
    assert (0, number) in by_pair(NearTexts(found, 0.9).matches([copy]))
    together = clusters([*found, copy], 0.9)
    assert any({number, len(found)} <= set(group) for group in together)


def test_scripts_without_tokens_match_by_the_whole_text_only() -> None:
    asked = ["\u4f60\u597d\u5417", " \u4f60\u597d\u5417", "\u518d\u89c1", "", "?"]
    assert clusters(asked, 0.8) == [[0, 1]]
    assert by_pair(NearTexts(asked, 0.8).matches(["\u4f60\u597d\u5417"])) == {
        (0, 0): 1.0,
        (0, 1): 1.0,
    }


def test_nothing_has_no_neighbours() -> None:
    assert clusters([], 0.9) == []
    assert NearTexts([], 0.9).matches(["what is it"]) == []
    assert NearTexts(["what is it"], 0.9).matches([]) == []


def test_a_bucket_of_any_size_is_walked_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that LSH throws together and that are not near each other, more than fit at once."""
    monkeypatch.setattr(near_duplicates, "PAIRS_AT_ONCE", 50)
    same = "one two three four five six seven eight nine ten eleven twelve thirteen"
    found = [f"{same} {chr(97 + n)}{n} {chr(97 + n)}x{n} {chr(97 + n)}y{n}" for n in range(20)]
    found += [f"{text} more" for text in found]
    for threshold in (0.85, 0.9):
        assert clusters(found, threshold) == exhaustive(found, threshold)
        matches = by_pair(NearTexts(found, threshold).matches(found))
        assert matches == {
            (i, j): rouge_l(a, b)
            for i, a in enumerate(found)
            for j, b in enumerate(found)
            if rouge_l(a, b) >= threshold
        }
