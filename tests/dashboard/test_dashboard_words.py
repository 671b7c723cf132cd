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


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (None, words.NONE),
        (0, "0"),
        (999, "999"),
        (0.0123, "0.01"),
        (1_234, "1.23 k"),
        (999_600, "1.00 M"),
        (1_814_776, "1.81 M"),
        (23_456_789_000, "23.5 G"),
        (4e14, "400 T"),
    ],
)
def test_numbers_at_a_glance_have_three_digits(number: float | None, told: str) -> None:
    assert words.short(number) == told


def test_memory_and_differences() -> None:
    assert words.size(3 * 2**30 + 2**29) == "3.5 GiB"
    assert words.size(700 * 2**20) == "700 MiB"
    assert words.size(None) == words.points(None) == words.NONE
    assert words.points(0.518) == "+0.52"
    assert words.points(-0.518) == "\u22120.52"
