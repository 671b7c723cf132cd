"""Eq. 6, the bands and the balanced selection, against the paper's numbers and by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.method.bands import band
from comd_platform.method.difficulty import clamp_score, difficulty
from comd_platform.method.sampling import Candidate, balanced_selection, random_selection
from comd_platform.method.seeds import content_seed, rank_key

scores = st.floats(1, 10)


@pytest.mark.parametrize(
    ("teacher", "student", "expected", "name"),
    [
        (9, 9, 1 / 9, "easy"),
        (1, 1, 1.0, "difficult"),
        (3, 3, 1 / 3, "difficult"),
        (9, 7, 3 / 9, "difficult"),
        (8, 7, 2 / 8, "easy"),
        (7, 9, 3 / 9, "difficult"),  # the student beats the teacher: as difficult as the reverse
        (10, 1, 1.0, "difficult"),
    ],
)
def test_eq_6_at_the_settled_points(
    teacher: float, student: float, expected: float, name: str
) -> None:
    assert difficulty(teacher, student) == pytest.approx(expected)
    assert band(difficulty(teacher, student), 0.33) == name


@given(scores, scores)
def test_difficulty_is_symmetric_and_lies_in_its_range(teacher: float, student: float) -> None:
    value = difficulty(teacher, student)
    assert 0 < value <= 1
    assert value == difficulty(student, teacher)


@pytest.mark.parametrize("bad", [0.99, 0, 10.01, -1, float("nan"), float("inf")])
def test_difficulty_refuses_scores_off_the_scale(bad: float) -> None:
    with pytest.raises(ValueError, match="student"):
        difficulty(5, bad)
    with pytest.raises(ValueError, match="teacher"):
        difficulty(bad, 5)


@pytest.mark.parametrize(
    ("score", "clamped"), [(0, (1, True)), (1, (1, False)), (10, (10, False)), (85, (10, True))]
)
def test_clamping_says_whether_it_moved(score: float, clamped: tuple[float, bool]) -> None:
    assert clamp_score(score) == clamped


def test_nan_is_no_score() -> None:
    with pytest.raises(ValueError, match="NaN"):
        clamp_score(float("nan"))


def test_the_thresholds_at_both_ends() -> None:
    assert [band(value, 0.0) for value in (0.1, 0.5, 1.0)] == ["difficult"] * 3
    assert [band(value, 1.0) for value in (0.1, 0.5, 1.0)] == ["easy"] * 3
    with pytest.raises(ValueError, match="threshold"):
        band(0.5, 1.1)
    with pytest.raises(ValueError, match="difficulty"):
        band(1.5, 0.33)


# seeds ---------------------------------------------------------------------------------------


def test_seeds_are_the_same_on_every_machine() -> None:
    """The values are part of the contract: rows that exist were drawn with them."""
    assert content_seed(7, "answer", "k1") == 4077449432770312793
    assert rank_key(7, "k1").hex()[:16] == "05c8973640f37571"


def test_parts_do_not_run_into_each_other() -> None:
    seeds = [
        content_seed("ab", "c"),
        content_seed("a", "bc"),
        content_seed("abc"),
        content_seed(1, "1"),
        content_seed("1", 1),
        content_seed(11),
        content_seed(1, 1),
        content_seed(-11),
        content_seed(),
        content_seed(""),
    ]
    assert len(set(seeds)) == len(seeds)


@given(st.lists(st.one_of(st.text(), st.integers())))
def test_a_seed_fits_a_bigint(parts: list[str | int]) -> None:
    assert 0 <= content_seed(*parts) < 2**63


def test_rank_keys_shuffle_evenly() -> None:
    """Over 2,000 seeds each of 8 keys comes first about 250 times (5 sigma: 75)."""
    keys = [f"k{number}" for number in range(8)]
    firsts = [min(keys, key=lambda key: rank_key(seed, key)) for seed in range(2000)]
    for key in keys:
        assert abs(firsts.count(key) - 250) < 75


# selection -----------------------------------------------------------------------------------

candidates = st.lists(
    st.builds(Candidate, st.uuids().map(str), st.sampled_from([0.1, 0.2, 0.33, 0.5, 1.0])),
    max_size=40,
    unique_by=lambda candidate: candidate.key,
)


@given(candidates, st.integers())
def test_all_difficult_and_as_many_easy(given_: list[Candidate], seed: int) -> None:
    chosen = balanced_selection(given_, 0.33, seed)
    hard = {candidate.key for candidate in given_ if candidate.difficulty >= 0.33}
    easy = {candidate.key for candidate in given_ if candidate.difficulty < 0.33}
    assert {item.key for item in chosen if item.band == "difficult"} == hard
    picked = {item.key for item in chosen if item.band == "easy"}
    assert picked <= easy
    assert len(picked) == min(len(hard), len(easy))


@given(candidates, st.integers(), st.randoms(), st.none() | st.integers(0, 20))
def test_the_input_order_does_not_matter(
    given_: list[Candidate], seed: int, random: object, cap: int | None
) -> None:
    shuffled = sorted(given_, key=lambda candidate: candidate.key[::-1])
    assert balanced_selection(shuffled, 0.33, seed, cap) == balanced_selection(
        given_, 0.33, seed, cap
    )


@given(candidates, st.integers(), st.integers(0, 50), st.sampled_from([0.0, 0.33, 1.0]))
def test_a_cap_is_kept_and_keeps_the_balance(
    given_: list[Candidate], seed: int, cap: int, threshold: float
) -> None:
    full = balanced_selection(given_, threshold, seed)
    capped = balanced_selection(given_, threshold, seed, cap)
    assert set(capped) <= set(full)
    assert len(capped) == min(cap, len(full))
    easy = sum(item.band == "easy" for item in capped)
    if threshold < 1:
        assert easy <= len(capped) - easy or len(capped) == len(full)
        assert easy <= cap // 2


def test_the_odd_one_is_difficult() -> None:
    given_ = [Candidate(f"h{i}", 1.0) for i in range(9)] + [
        Candidate(f"e{i}", 0.1) for i in range(9)
    ]
    chosen = balanced_selection(given_, 0.33, 1, 5)
    assert [item.band for item in chosen].count("difficult") == 3


def test_the_ablation_arms() -> None:
    given_ = [Candidate("a", 0.1), Candidate("b", 1.0), Candidate("c", 0.5)]
    assert {item.band for item in balanced_selection(given_, 0.0, 1)} == {"difficult"}
    only_easy = balanced_selection(given_, 1.0, 1)
    assert [item.key for item in only_easy] == ["a", "b", "c"]
    assert {item.band for item in only_easy} == {"easy"}


def test_the_sample_is_drawn_by_the_seed() -> None:
    given_ = [Candidate("h", 1.0)] + [Candidate(f"e{number}", 0.1) for number in range(50)]
    draws = {balanced_selection(given_, 0.33, seed)[0].key for seed in range(30)}
    assert len(draws) > 10


def test_wrong_input_is_refused() -> None:
    twice = [Candidate("a", 0.5), Candidate("a", 0.5)]
    with pytest.raises(ValueError, match="twice"):
        balanced_selection(twice, 0.33, 1)
    with pytest.raises(ValueError, match="negative"):
        balanced_selection([], 0.33, 1, -1)
    with pytest.raises(ValueError, match="threshold"):
        balanced_selection([], 2.0, 1)


@given(st.lists(st.text(), unique=True), st.integers(), st.integers(0, 10))
def test_the_random_baseline(keys: list[str], seed: int, cap: int) -> None:
    chosen = random_selection(keys, seed, cap)
    assert len(chosen) == min(cap, len(keys))
    assert set(chosen) <= set(random_selection(keys[::-1], seed, cap + 1))
    assert random_selection(keys, seed) == sorted(keys)
