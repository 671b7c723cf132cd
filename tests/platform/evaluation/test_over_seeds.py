from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from comd_platform.evaluation.over_seeds import paired, spread

numbers = st.lists(st.floats(0, 1), min_size=2, max_size=8)


def test_spread_is_the_sample_s() -> None:
    found = spread([0.2, 0.4, 0.6])
    assert (found.n, found.mean, found.sd) == (3, pytest.approx(0.4), pytest.approx(0.2))
    assert spread([0.5]).sd is None
    with pytest.raises(ValueError, match="no values"):
        spread([])


@given(numbers, st.randoms(use_true_random=False))
def test_the_test_is_the_paired_t_test(values: list[float], random: object) -> None:
    others = [value * 0.5 + 0.1 * (place % 3) for place, value in enumerate(values)]
    found = paired(dict(enumerate(values)), dict(enumerate(others)))
    assert found is not None
    if found.t is None:
        assert found.sd == 0
        return
    expected = stats.ttest_rel(values, others)
    assert found.t == pytest.approx(expected.statistic, rel=1e-6)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_only_seeds_of_both_sides_count() -> None:
    found = paired({1: 0.5, 2: 0.7, 3: 0.9}, {2: 0.6, 3: 0.9, 4: 0.1})
    assert found is not None
    assert (found.n, found.wins, found.ties) == (2, 1, 1)
    assert paired({1: 0.5}, {2: 0.5}) is None


def test_one_seed_is_a_difference_without_a_test() -> None:
    found = paired({1: 0.5}, {1: 0.25})
    assert found is not None
    assert (found.mean, found.wins) == (0.25, 1)
    assert (found.sd, found.low, found.t, found.p) == (None, None, None, None)


def test_differences_without_any_spread_have_no_test() -> None:
    found = paired({1: 0.75, 2: 0.5}, {1: 0.5, 2: 0.25})
    assert found is not None
    assert (found.mean, found.low, found.high, found.p) == (0.25, 0.25, 0.25, None)
