"""Both orders of a judgement, averaged (section 3.3.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.method.judging import Averaged, average_positions, is_flip

score = st.floats(0, 12)


def test_the_mean_of_both_orders() -> None:
    assert average_positions((9, 6), (8, 7)) == Averaged(8.5, 6.5, ())


def test_one_unread_order_leaves_the_other_and_says_so() -> None:
    assert average_positions(None, (8, 7)) == Averaged(8, 7, ("one_order",))
    assert average_positions((8, 7), None) == Averaged(8, 7, ("one_order",))


def test_with_neither_order_there_is_no_score() -> None:
    assert average_positions(None, None) is None


def test_scores_off_the_scale_are_moved_onto_it_before_the_mean() -> None:
    assert average_positions((11, 0), (9, 3)) == Averaged(9.5, 2, ("clamped",))


def test_a_winner_that_changes_with_the_order_is_a_flip() -> None:
    assert average_positions((9, 6), (6, 9)) == Averaged(7.5, 7.5, ("flip",))


@pytest.mark.parametrize(
    ("one", "other", "flips"),
    [
        ((9, 6), (6, 9), True),
        ((9, 6), (7, 7), False),
        ((7, 7), (7, 7), False),
        ((9, 6), None, False),
    ],
)
def test_what_a_flip_is(
    one: tuple[float, float], other: tuple[float, float] | None, flips: bool
) -> None:
    assert is_flip(one, other) is flips


@given(score, score, score, score)
def test_the_order_of_the_orders_does_not_matter(a: float, b: float, c: float, d: float) -> None:
    averaged = average_positions((a, b), (c, d))
    assert averaged == average_positions((c, d), (a, b))
    assert averaged is not None
    assert 1 <= averaged.teacher <= 10
    assert 1 <= averaged.student <= 10
