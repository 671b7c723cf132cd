"""Metrics and error bars: tables, properties, and values worked out elsewhere."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.evaluation.scoring import (
    METRICS,
    normalize,
    score,
    standard_error,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Olaf", "olaf"),
        (" The  Cat. ", "cat"),
        ("a cat and the dog", "cat and dog"),
        ("It's 3.5 km, or 1,000 m.", "its 3.5 km or 1,000 m"),
        ("twenty-one", "twenty one"),
        ("A.", "a"),
        ("(A)", "a"),
        ("the", "the"),
        ("ÉCOLE", "école"),
        ("Straße", "strasse"),
        ("\uff46\uff55ll", "full"),
        ("“quoted”", "quoted"),
        ("...", ""),
        ("", ""),
        ("\0", ""),
    ],
)
def test_normalize(text: str, expected: str) -> None:
    assert normalize(text) == expected


@given(st.text())
def test_normalizing_twice_changes_nothing(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once


@pytest.mark.parametrize(
    ("metric", "prediction", "answers", "expected"),
    [
        ("exact", " olaf\n", ["olaf"], 1.0),
        ("exact", "Olaf", ["olaf"], 0.0),
        ("exact", "b", ["a", "b"], 1.0),
        ("normalized", "The Olaf.", ["olaf"], 1.0),
        ("normalized", "olaf the snowman", ["olaf"], 0.0),
        ("normalized", "1.5", ["15"], 0.0),
        ("contains", "It is Olaf, the snowman.", ["olaf"], 1.0),
        ("contains", "a catalogue", ["cat"], 0.0),
        ("contains", "red and blue", ["blue red"], 0.0),
        ("contains", "", ["cat"], 0.0),
    ],
)
def test_metrics(metric: str, prediction: str, answers: list[str], expected: float) -> None:
    assert score(metric, prediction, answers) == expected


@given(st.sampled_from(sorted(METRICS)), st.text(), st.lists(st.text(), min_size=1, max_size=3))
def test_scores_lie_between_zero_and_one_and_an_answer_is_right(
    metric: str, prediction: str, answers: list[str]
) -> None:
    assert 0 <= score(metric, prediction, answers) <= 1
    assert score(metric, answers[0], answers) == 1


def test_what_cannot_be_scored_is_an_error() -> None:
    with pytest.raises(ValueError, match="no metric 'bleu'"):
        score("bleu", "x", ["x"])
    with pytest.raises(ValueError, match="without accepted answers"):
        score("exact", "x", [])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_standard_error_is_the_textbook_one(scores: list[float]) -> None:
    expected = statistics.stdev(scores) / math.sqrt(len(scores))
    assert standard_error(scores) == pytest.approx(expected, abs=1e-12)


def test_standard_error_needs_two() -> None:
    assert math.isnan(standard_error([1.0]))
    assert math.isnan(standard_error([]))


def test_wilson_interval_against_published_values() -> None:
    # Newcombe 1998, table I: 81/263, 15/148, 0/20, 1/29 by the score method without continuity.
    for successes, count, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson_interval(successes / count, count)
        assert found == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share_and_stays_in_range(case: tuple[int, int]) -> None:
    successes, count = case
    low, high = wilson_interval(successes / count, count)
    assert 0 <= low <= successes / count + 1e-12
    assert successes / count - 1e-12 <= high <= 1
    assert low < high


def test_wilson_interval_refuses_what_is_no_share() -> None:
    for mean, count in ((0.5, 0), (1.1, 10), (-0.1, 10), (math.nan, 10)):
        with pytest.raises(ValueError, match="no interval"):
            wilson_interval(mean, count)
