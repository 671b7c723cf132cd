from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_dashboard import words


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, words.NONE),
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7_620, "2 h 07 min"),
        (86_400 * 4 + 3 * 3_600, "4 d 03 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float | None, told: str) -> None:
    assert words.duration(seconds) == told


@given(st.floats(min_value=0, max_value=1e8))
def test_a_duration_never_carries_sixty_of_anything(seconds: float) -> None:
    last = re.findall(r"\d+", words.duration(seconds))[-1]
    assert int(last) < 60


@pytest.mark.parametrize(
    ("per_second", "told"),
    [(None, words.NONE), (1234.0, "1,234 / s"), (2.34, "2.3 / s"), (0.5, "30.0 / min")],
)
def test_slow_rates_are_told_by_the_minute(per_second: float | None, told: str) -> None:
    assert words.rate(per_second) == told


def test_counts_and_shares() -> None:
    assert words.count(1234567) == "1,234,567"
    assert words.count(None) == words.NONE
    assert words.percent(0.123) == "12 %"
    assert words.percent(0.1234, 1) == "12.3 %"
    assert words.percent(None) == words.NONE
