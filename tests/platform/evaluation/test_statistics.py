"""Intervals and paired tests against textbook values and properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from comd_platform.evaluation.statistics import bootstrap, compare, mcnemar

ITEMS = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.just(1.0)), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (9, 1, 22 / 1024),
        (1, 9, 22 / 1024),
        (10, 0, 2 / 1024),
        (8, 2, 112 / 1024),
        (1, 0, 1.0),
    ],
)
def test_mcnemar_is_the_binomial_test(wins: int, losses: int, p: float) -> None:
    assert mcnemar(wins, losses) == pytest.approx(p)


def test_mcnemar_of_many_items_is_near_the_normal_approximation() -> None:
    wins, losses = 1100, 1000
    z = (abs(wins - losses) - 1) / math.sqrt(wins + losses)
    assert mcnemar(wins, losses) == pytest.approx(math.erfc(z / math.sqrt(2)), abs=1e-3)


def test_the_interval_of_a_proportion_is_near_the_normal_one() -> None:
    interval = bootstrap([(1.0, 1.0)] * 300 + [(0.0, 1.0)] * 700)
    half = 1.96 * math.sqrt(0.3 * 0.7 / 1000)
    assert interval.score == pytest.approx(0.3)
    assert interval.low == pytest.approx(0.3 - half, abs=0.005)
    assert interval.high == pytest.approx(0.3 + half, abs=0.005)


def test_a_judged_score_is_a_ratio_of_means() -> None:
    assert bootstrap([(0.8, 0.9), (0.4, 0.7)]).score == pytest.approx(1.2 / 1.6)


def test_two_models_item_by_item() -> None:
    first = [(1.0, 1.0)] * 9 + [(0.0, 1.0)] + [(1.0, 1.0)] * 30
    second = [(0.0, 1.0)] * 9 + [(1.0, 1.0)] + [(1.0, 1.0)] * 30
    found = compare(first, second)
    assert (found.items, found.wins, found.losses, found.test) == (40, 9, 1, "McNemar")
    assert found.difference == pytest.approx(8 / 40)
    assert found.p == pytest.approx(22 / 1024)
    assert 0 < found.low < found.difference < found.high


def test_graded_scores_are_tested_by_permutation() -> None:
    first = [(0.9, 0.8)] * 12
    second = [(0.5, 0.8)] * 12
    found = compare(first, second)
    assert found.test == "permutation"
    assert found.p < 0.01
    assert compare(first, first).p == 1.0


@hypothesis_settings(max_examples=25)
@given(ITEMS)
def test_exchanged_models_change_the_sign_and_nothing_else(
    items: list[tuple[float, float]],
) -> None:
    other = [(1.0 - score, reference) for score, reference in items]
    there, back = compare(items, other, resamples=200), compare(other, items, resamples=200)
    assert there.difference == pytest.approx(-back.difference)
    assert (there.wins, there.losses) == (back.losses, back.wins)
    assert there.p == pytest.approx(back.p)
    assert 0 < there.p <= 1


@hypothesis_settings(max_examples=25)
@given(ITEMS, st.integers(0, 5))
def test_the_same_seed_gives_the_same_interval(items: list[tuple[float, float]], seed: int) -> None:
    once = bootstrap(items, seed, resamples=200)
    assert once == bootstrap(items, seed, resamples=200)
    assert once.low <= once.high
    assert once.low >= 0
    assert once.high <= 1


def test_what_cannot_be_compared_is_an_error() -> None:
    with pytest.raises(ValueError, match="no items"):
        bootstrap([])
    with pytest.raises(ValueError, match="cannot be paired"):
        compare([(1.0, 1.0)], [])
