"""The exponent of a known law, at all sizes and at the end; pictures that repeat."""

from __future__ import annotations

from pathlib import Path

import pytest
from growth import Curve, draw, short, slope, table

SIZES = [10_000, 100_000, 1_000_000]


def curve(power: float, fixed: float = 0.0, topic: str = "Import") -> Curve:
    seconds = [fixed + 1e-6 * size**power for size in SIZES]
    return Curve(topic, f"power {power}", "rows", SIZES, seconds)


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_a_power_law_gives_its_power(power: float) -> None:
    assert curve(power).exponent == pytest.approx(power)
    assert curve(power).last_exponent == pytest.approx(power)


def test_what_is_fixed_hides_the_exponent_at_small_sizes_only() -> None:
    found = curve(1.2, fixed=0.1)
    assert found.exponent < 1.0 < found.last_exponent


def test_one_size_has_no_exponent() -> None:
    with pytest.raises(ValueError, match="no line through"):
        slope([1.0, 1.0], [1.0, 2.0])


def test_the_table_marks_what_is_worse_than_linear() -> None:
    lines = table([curve(1.0), curve(1.3)]).splitlines()
    assert "| 1.00 | 1.00 |" in lines[2]
    assert "| 1.30 | **1.30** |" in lines[3]
    assert "10 K, 100 K, 1 M rows" in lines[2]


def test_sizes_are_short() -> None:
    assert [short(n) for n in (7, 10_000, 1_500_000)] == ["7", "10 K", "1.5 M"]


def test_one_picture_a_topic_and_the_same_bytes_again(tmp_path: Path) -> None:
    curves = [curve(1.0), curve(1.3), curve(1.0, topic="Whole forest, by size")]
    first = draw(curves, tmp_path / "a")
    again = draw(curves, tmp_path / "b")
    assert [path.name for path in first.values()] == ["import.svg", "whole-forest-by-size.svg"]
    for topic, path in first.items():
        assert path.read_bytes() == again[topic].read_bytes()
