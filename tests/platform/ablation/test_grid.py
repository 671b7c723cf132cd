from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.ablation.grid import BadGrid, grid


def test_several_keys_make_a_grid_in_the_order_given() -> None:
    found = grid(["method.difficulty_threshold=0, 0.67", "pools.mode=replace,replay"])
    assert [each.overrides for each in found] == [
        ("method.difficulty_threshold=0", "pools.mode=replace"),
        ("method.difficulty_threshold=0", "pools.mode=replay"),
        ("method.difficulty_threshold=0.67", "pools.mode=replace"),
        ("method.difficulty_threshold=0.67", "pools.mode=replay"),
    ]
    assert found[1].title == "difficulty_threshold=0, mode=replay"
    assert found[2].run_name("demo-0", 5) == "demo-0-difficulty_threshold-0.67-mode-replace-s5"


def test_a_value_in_brackets_is_one_value() -> None:
    [first, second] = grid(["training.freeze=[vision_tower,projector],[]"])
    assert first.overrides == ("training.freeze=[vision_tower,projector]",)
    assert second.overrides == ("training.freeze=[]",)


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ([], "nothing varies"),
        (["method.max_new"], "is not of the form"),
        (["method.max_new="], "is not of the form"),
        (["=1,2"], "is not of the form"),
        (["seed=1,1"], "gives a value twice"),
        (["seed=1", "seed=2"], "names seed twice"),
        (["x.y=a b,a-b"], "branches of the same name"),
    ],
)
def test_what_is_no_grid_is_refused(vary: list[str], said: str) -> None:
    with pytest.raises(BadGrid, match=said):
        grid(vary)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=6, unique=True), st.integers(1, 4))
def test_every_combination_once(values: list[int], keys: int) -> None:
    vary = [f"a.k{key}={','.join(map(str, values))}" for key in range(keys)]
    found = grid(vary)
    assert len(found) == len({each.overrides for each in found}) == len(values) ** keys
