from __future__ import annotations

from comd_platform.method.collapse import Evidence, explain


def test_as_good_held_out_as_on_its_pool_has_caught_up() -> None:
    said = explain(Evidence(on_pool=0.99, held_out=0.97, passes=2.0, loss=0.1))
    assert said == (
        "the student has caught up: 0.99 of the teacher's score on its pool, 0.97 held out"
    )


def test_far_worse_held_out_has_memorised() -> None:
    said = explain(Evidence(on_pool=0.99, held_out=0.55, passes=9.6, loss=0.004))
    assert said == (
        "the student has memorised its pool after 9.6 passes over its pool (last loss 0.004): "
        "0.99 of the teacher's score on its pool, 0.55 held out"
    )


def test_without_a_benchmark_nobody_can_tell() -> None:
    said = explain(Evidence(on_pool=None, held_out=None, passes=None, loss=None))
    assert "caught up or memorised" in said
    assert "evaluation.benchmarks" in said


def test_a_measure_without_judgements_is_taken_to_be_right_on_its_pool() -> None:
    assert "memorised" in explain(Evidence(None, 0.5, 3.0, None))
