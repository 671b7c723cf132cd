"""Charts as pure functions: rows in, a valid specification with the right numbers out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from comd_dashboard.charts import difficulty, judge, pools, progress, style
from comd_platform.evaluation.statistics import Interval
from comd_platform.reports.against_teacher import OutcomeRow, TypeRow
from comd_platform.reports.difficulty import DifficultyBin, MapCell, StandingRow, TaskTypeRow
from comd_platform.reports.evaluations import ScoreRow, Who
from comd_platform.reports.judge import LeadCount, ScoreCount, SlotScore
from comd_platform.reports.pools import FunnelRow, PoolRow, RejectionRow
from comd_platform.reports.training import LossPoint


def _values(chart: Any) -> list[list[dict[str, Any]]]:
    """The data of each layer. `to_dict` validates against Vega-Lite's schema."""
    spec = chart.to_dict()
    layers = spec.get("layer", [spec])
    return [spec["datasets"][layer.get("data", spec.get("data"))["name"]] for layer in layers]


def _score(who: Who, iteration: int | None, score: float, error: float | None = 0.02) -> ScoreRow:
    return ScoreRow("heldout", who, iteration, False, 100, score, error)


def test_pool_bars_stack_to_the_cache_pool() -> None:
    rows = [PoolRow(1, False, 100, 100), PoolRow(2, False, 40, 140)]
    bars, totals = _values(pools.pool_growth(rows, wanted=4))
    for row in rows:
        parts = [bar["instructions"] for bar in bars if bar["iteration"] == row.iteration]
        assert sum(parts) == row.cache
    assert [total["cache"] for total in totals] == [100, 140]


def test_the_axis_keeps_room_for_the_iterations_to_come() -> None:
    spec = pools.pool_growth([PoolRow(1, False, 100, 100)], wanted=4).to_dict()
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [1, 2, 3, 4]


def test_the_funnel_adds_the_bands_and_names_the_share_that_is_left() -> None:
    rows = [
        FunnelRow(2, "difficult", 30, 30, 28, 20, 19),
        FunnelRow(2, "easy", 30, 29, 25, 22, 22),
    ]
    bars, labels = _values(pools.funnel(rows))
    assert [label["label"] for label in labels] == [
        "60 · 100 %",
        "59 · 98 %",
        "53 · 88 %",
        "42 · 70 %",
        "41 · 68 %",
    ]
    assert sum(bar["sources"] for bar in bars if bar["stage"] == "trained on") == 41


def test_reasons_carry_their_share() -> None:
    told = pools.rejections([RejectionRow(2, "too_long", 1234, 0.125)])
    (first, _) = _values(told)
    assert first[0]["reason"] == "too long"
    assert first[0]["label"] == "1,234 · 12.5 %"


@pytest.mark.parametrize(("threshold", "own", "marks"), [(0.33, 0.33, 1), (0.5, 0.33, 2)])
def test_the_histogram_marks_the_threshold_and_the_runs_own(
    threshold: float, own: float, marks: int
) -> None:
    rows = [DifficultyBin(0.3, 0.35, "easy", 3), DifficultyBin(0.3, 0.35, "difficult", 9)]
    bars, *rest = _values(difficulty.histogram(rows, threshold, own))
    assert [bar["instructions"] for bar in bars] == [3, 9]
    assert len(rest) == 2 * marks
    assert rest[0][0]["label"] == f"τ = {threshold:g}"


def test_a_square_of_the_map_is_coloured_by_what_makes_it_difficult() -> None:
    cell = MapCell(9.0, 2.0, (9.0, 9.0), (2.0, 2.0), 8 / 9, 5, 5)
    level = MapCell(9.0, 9.0, (9.0, 9.0), (9.0, 9.0), 1 / 9, 0, 7)
    _, squares = _values(difficulty.score_map([cell, level], 0.33))
    assert [s["standing"] for s in squares] == ["student behind", "easy"]
    assert squares[0]["teacher_to"] - squares[0]["teacher_from"] == 0.5
    _, squares = _values(difficulty.score_map([level], 0.1))
    assert squares[0]["standing"] == "both weak"


def test_standings_keep_their_order_and_types_without_scores_are_left_out() -> None:
    (values,) = _values(
        difficulty.standings([StandingRow("both weak", 2, 0.4), StandingRow("easy", 3, 0.6)])
    )
    assert [value["order"] for value in values] == [0, 1]
    rows = [
        TaskTypeRow("look", 1, 3, 0, 0.25, 0.3, 8.0, 7.0),
        TaskTypeRow("new", 0, 0, 4, None, None, None, None),
    ]
    values, _ = _values(difficulty.by_task_type(rows))
    assert [(value["type"], value["label"]) for value in values] == [("look", "25 %")]


def test_leads_scores_and_slots_are_drawn_as_they_are() -> None:
    _, squares = _values(judge.leads([LeadCount(-2, 3, 5), LeadCount(1, 1, 4)]))
    assert [square["what"] for square in squares] == ["orders disagree", "same"]
    (bars,) = _values(judge.scale_use([ScoreCount("teacher", 9, 12)]))
    assert bars == [{"who": "teacher", "score": 9, "scores": 12}]
    slots = [SlotScore("teacher", "first", 8.0), SlotScore("student", "first", 6.0)]
    assert _values(judge.slots(slots))[0][0]["slot"] == "first answer"


def test_outcomes_tell_their_interval() -> None:
    rows = [OutcomeRow(1, False, "win", 20, Interval(0.2, 0.1, 0.3))]
    (bars, _) = _values(progress.outcomes(rows, wanted=2))
    assert bars[0]["told"] == "10.0% to 30.0%"


@pytest.mark.parametrize(("measure", "label"), [("not_lost", "75 %"), ("student_score", "6.5")])
def test_the_matrix_shows_the_measure(measure: progress.Measure, label: str) -> None:
    rows = [
        TypeRow(1, "look", 8, 6.5, 8.0, 0.75),
        TypeRow(1, "unscored", 0, None, None, None),
    ]
    values = _values(progress.by_task_type(rows, measure))[0]
    assert [value["label"] for value in values] == [label]


@pytest.mark.parametrize("what", progress.CURVES)
def test_a_curve_leaves_out_what_is_not_known(what: progress.Curve) -> None:
    points = [
        LossPoint(1, 10, 1.5, 2e-5, None, None),
        LossPoint(1, 20, 1.25, 1e-5, None, 3000.0),
    ]
    (values,) = _values(progress.curve(points, what))
    assert len(values) == (1 if what == "tokens_per_second" else 2)


def test_held_out_intervals_stay_within_what_a_score_can_be() -> None:
    rows = {
        "paper": [
            _score("teacher", None, 0.97),
            _score("untuned student", None, 0.12),
            _score("student", 1, 0.99),
            _score("student", 2, 0.5, None),
        ],
        "random": [_score("student", 1, 0.01)],
    }
    layers = _values(progress.held_out("paper", rows, "heldout", wanted=2))
    points = {(p["run"], p["iteration"]): p for p in layers[-1]}
    assert points["paper", 1]["high"] == 1.0
    assert points["random", 1]["low"] == 0.0
    assert points["paper", 2]["low"] == points["paper", 2]["high"] == 0.5
    assert points["paper", 1]["told"] == "99.0% ± 3.9%"
    labels = [layer[0].get("label") for layer in layers[:-2]]
    assert labels == ["teacher 97 %", "teacher 97 %", *2 * ["untuned student 12 %"]]


def test_a_judged_benchmark_may_go_beyond_the_reference() -> None:
    chart = progress.held_out("paper", {"paper": [_score("student", 1, 1.2, 0.1)]}, "heldout", 1)
    spec = chart.to_dict()
    assert spec["layer"][-1]["encoding"]["y"]["scale"]["domain"] == [0, 1.2]


def test_the_run_itself_is_drawn_over_those_it_is_compared_with() -> None:
    rows = {"paper": [_score("student", 1, 0.5)], "random": [_score("student", 1, 0.5)]}
    points = _values(progress.held_out("paper", rows, "heldout", wanted=1))[-1]
    assert [point["run"] for point in points] == ["random", "paper"]


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (["win", "tie", "loss"], 3),
        (["student behind", "both weak", "student ahead", "easy"], 2),
        (["a-run-with-a-long-name", "another-run-with-a-long-one"], 1),
    ],
)
def test_a_legend_has_as_many_columns_as_there_is_room_for(labels: list[str], columns: int) -> None:
    assert style.legend(labels).columns == columns


def _hexes() -> Iterator[str]:
    yield from (*style.BANDS.values(), *style.STANDINGS.values(), *style.OUTCOMES.values())
    yield from (style.STUDENT, style.TEACHER, style.UNTUNED, *style.COMPARED, *style.ITERATIONS)


@pytest.mark.parametrize("ground", ["#ffffff", "#171614"])
def test_every_colour_stands_out_from_a_light_and_from_a_dark_ground(ground: str) -> None:
    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in _hexes():
        one, two = sorted((light(colour), light(ground)))
        assert (two + 0.05) / (one + 0.05) > 1.9, colour
