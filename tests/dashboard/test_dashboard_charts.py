"""Charts as pure functions: rows in, a valid specification with the right numbers out."""

from __future__ import annotations

from typing import Any

from comd_dashboard.charts import difficulty, pools, scores
from comd_platform.reports.difficulty import DifficultyBin
from comd_platform.reports.evaluations import ScoreRow, Who
from comd_platform.reports.pools import FunnelRow, PoolRow


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


def test_the_funnel_adds_the_bands_and_names_the_accepted_share() -> None:
    rows = [FunnelRow(2, "difficult", 30, 28, 20), FunnelRow(2, "easy", 30, 25, 22)]
    bars, shares = _values(pools.funnel(rows, wanted=3))
    assert [bar["instructions"] for bar in bars] == [60, 53, 42]
    assert bars[0]["bands"] == "30 difficult, 30 easy"
    assert shares[0]["share"] == 0.7


def test_the_histogram_marks_the_threshold() -> None:
    rows = [
        DifficultyBin(0.3, 0.35, "easy", 3),
        DifficultyBin(0.3, 0.35, "difficult", 9),
    ]
    bars, rule, label = _values(difficulty.histogram(rows, 0.33, 2))
    assert [bar["instructions"] for bar in bars] == [3, 9]
    assert rule[0]["threshold"] == 0.33
    assert label[0]["label"] == "τ = 0.33"


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
    chart = scores.held_out("paper", rows, "heldout", wanted=2)
    layers = _values(chart)
    points = {(p["run"], p["iteration"]): p for p in layers[-1]}
    assert points["paper", 1]["high"] == 1.0
    assert points["random", 1]["low"] == 0.0
    assert points["paper", 2]["low"] == points["paper", 2]["high"] == 0.5
    assert points["paper", 1]["told"] == "99.0% ± 3.9%"
    labels = [layer[0].get("label") for layer in layers[:-2]]
    assert labels == ["teacher 97%", "teacher 97%", "untuned student 12%", "untuned student 12%"]


def test_the_run_itself_is_drawn_over_those_it_is_compared_with() -> None:
    rows = {"paper": [_score("student", 1, 0.5)], "random": [_score("student", 1, 0.5)]}
    points = _values(scores.held_out("paper", rows, "heldout", wanted=1))[-1]
    assert [point["run"] for point in points] == ["random", "paper"]
