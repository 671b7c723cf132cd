"""The contract that every selection measure keeps, and what each means by difficult."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.config.load import ConfigError, parse_config
from comd_platform.method.sampling import balance
from comd_platform.method.selection import MEASURES, Assessed, Rule
from comd_platform.method.selection.uncertainty import doubt

GROWING = [name for name, measure in MEASURES.items() if measure.select is not None]
scores = st.none() | st.integers(2, 20).map(lambda half: half / 2)


@st.composite
def pools(draw: st.DrawFn) -> list[Assessed]:
    size = draw(st.integers(0, 30))
    pool = []
    for number in range(size):
        teacher = draw(scores)
        student = None if teacher is None else draw(scores.filter(lambda value: value is not None))
        doubted = draw(st.none() | st.floats(-5, 0))
        pool.append(Assessed(f"key-{number:02}", teacher, student, doubted))
    return pool


rules = st.builds(
    Rule,
    threshold=st.sampled_from([0.0, 0.33, 0.67, 1.0]),
    easy_share=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    max_sources=st.none() | st.integers(0, 40),
    seed=st.integers(0, 5),
)


@pytest.mark.parametrize("name", GROWING)
@given(pool=pools(), rule=rules)
def test_sources_are_known_distinct_ordered_and_do_not_depend_on_the_order(
    name: str, pool: list[Assessed], rule: Rule
) -> None:
    select = MEASURES[name].select
    assert select is not None
    chosen = select(pool, rule)
    keys = [source.key for source in chosen]
    assert keys == sorted(set(keys))
    assert set(keys) <= {each.key for each in pool}
    assert select(pool[::-1], rule) == chosen
    if rule.max_sources is not None and name != "all":
        assert len(chosen) <= rule.max_sources


@pytest.mark.parametrize("name", GROWING)
def test_what_a_measure_reads_is_what_it_says_it_needs(name: str) -> None:
    measure = MEASURES[name]
    assert measure.select is not None
    rule = Rule(threshold=0.33, easy_share=1.0, max_sources=None, seed=0)
    judged, weighed = Assessed("a", teacher_score=9, student_score=3), Assessed("a", None, None, -2)
    expected = {
        "judgements": (1, 0),
        "logprobs": (0, 1),
        "nothing": (1, 1),
    }
    found = (len(measure.select([judged], rule)), len(measure.select([weighed], rule)))
    assert found == expected[measure.needs]


def bands(name: str, pool: list[Assessed], threshold: float = 0.33) -> dict[str, str]:
    select = MEASURES[name].select
    assert select is not None
    rule = Rule(threshold=threshold, easy_share=10.0, max_sources=None, seed=0)
    return {source.key: source.band for source in select(pool, rule)}


def test_regret_passes_over_what_eq_6_calls_difficult_without_a_better_teacher() -> None:
    pool = [
        Assessed("both failed", 1, 1),
        Assessed("student better", 5, 9),
        Assessed("teacher better", 9, 8.5),
        Assessed("both good", 9, 9),
    ]
    assert bands("competitive", pool) == {
        "both failed": "difficult",
        "student better": "difficult",
        "teacher better": "easy",
        "both good": "easy",
    }
    assert bands("regret", pool) == {
        "both failed": "easy",
        "student better": "easy",
        "teacher better": "difficult",
        "both good": "easy",
    }


def test_uncertainty_asks_how_probable_the_student_found_its_own_answer() -> None:
    assert doubt(0.0) == 0.0
    assert doubt(math.log(0.25)) == pytest.approx(0.75)
    assert doubt(1e-9) == 0.0  # rounding above 0 is no confidence beyond certainty
    pool = [
        Assessed("sure", None, None, math.log(0.9)),
        Assessed("unsure", None, None, math.log(0.5)),
    ]
    assert bands("uncertainty", pool) == {"sure": "easy", "unsure": "difficult"}


def test_hard_only_and_other_shares_of_easy_ones() -> None:
    banded = {f"hard-{n}": "difficult" for n in range(10)} | {
        f"soft-{n}": "easy" for n in range(40)
    }

    def counts(share: float, cap: int | None = None) -> tuple[int, int]:
        chosen = balance(banded, 7, cap, share)  # type: ignore[arg-type]
        difficult = sum(each.band == "difficult" for each in chosen)
        return difficult, len(chosen) - difficult

    assert counts(1.0) == (10, 10)
    assert counts(0.0) == (10, 0)
    assert counts(0.5) == (10, 5)
    assert counts(3.0) == (10, 30)
    assert counts(9.0) == (10, 40)
    assert counts(0.0, cap=6) == (6, 0)
    assert counts(1.0, cap=7) == (4, 3)
    assert counts(3.0, cap=8) == (2, 6)
    with pytest.raises(ValueError, match="easy_share must not be negative"):
        counts(-0.1)


@given(
    st.lists(st.tuples(st.integers(2, 20), st.integers(2, 20)), min_size=1, max_size=30),
    st.integers(0, 30),
    st.integers(0, 9),
)
def test_at_equal_budget_tau_0_and_tau_1_draw_what_random_draws(
    scored: list[tuple[int, int]], cap: int, seed: int
) -> None:
    pool = [Assessed(f"k{n}", t / 2, s / 2) for n, (t, s) in enumerate(scored)]
    drawn = [
        [source.key for source in select(pool, Rule(threshold, 1.0, cap, seed))]
        for name, threshold in (("competitive", 0.0), ("competitive", 1.0), ("random", 0.33))
        if (select := MEASURES[name].select) is not None
    ]
    assert drawn[0] == drawn[1] == drawn[2]


def test_a_config_names_a_measure_that_there_is() -> None:
    document = {"name": "r", "pool": "p"}
    for name in MEASURES:
        made = parse_config(document, [f"method.selection={name}"])
        assert made.method.measure is MEASURES[name]
    with pytest.raises(ConfigError, match="there are: competitive, regret, uncertainty, random"):
        parse_config(document, ["method.selection=best"])
