"""Which dialogue is learned when, how batches are cut, and what a metric line holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from comd_platform.config.training import Hyperparameters, Split
from comd_training.failures import (
    HINTS,
    Failure,
    NonFiniteLossError,
    TrainingDataError,
    name_failure,
)
from comd_training.metrics import Metric, MetricTail, MetricWriter
from comd_training.order import SeededOrder

sizes = st.integers(1, 40)


@given(sizes, sizes, st.integers(1, 4), st.integers(0, 2**63 - 1))
def test_passes_see_every_dialogue_once_each(n: int, batch: int, epochs: int, seed: int) -> None:
    order = SeededOrder(n, batch, epochs, None, seed)
    indices = list(order)
    assert len(indices) == len(order)
    assert len(order) % batch == 0
    assert len(order) - n * epochs < batch
    learned = [i for i in indices if i >= 0]
    assert Counter(learned) == dict.fromkeys(range(n), epochs)
    assert learned == indices[: len(learned)]
    assert all(0 <= ~i < n for i in indices[len(learned) :])
    assert list(order) == indices
    for start in range(0, len(learned), n):
        assert set(learned[start : start + n]) == set(range(n))


@given(sizes, sizes, st.integers(1, 30), st.integers(0, 99))
def test_asked_for_steps_all_learn(n: int, batch: int, steps: int, seed: int) -> None:
    order = SeededOrder(n, batch, 1, steps, seed)
    assert len(order) == steps * batch
    assert min(order) >= 0
    longer = list(SeededOrder(n, batch, 1, steps + 1, seed))
    assert longer[: len(order)] == list(order)


def test_passes_differ_and_seeds_differ() -> None:
    order = list(SeededOrder(50, 10, 2, None, 1))
    assert order[:50] != order[50:]
    assert order != list(SeededOrder(50, 10, 2, None, 2))


def test_batches_are_made_up_exactly() -> None:
    assert Hyperparameters(batch_size=16).split(1) == Split(16, 1, 0)
    assert Hyperparameters(batch_size=16).split(4) == Split(4, 1, 0)
    assert Hyperparameters(batch_size=16, micro_batch_size=2).split(4) == Split(2, 2, 0)
    # The paper's six cards: 16 dialogues in 18 places.
    assert Hyperparameters(batch_size=16, micro_batch_size=1).split(6) == Split(1, 3, 2)
    assert Hyperparameters(batch_size=16).split(6) == Split(3, 1, 2)
    with pytest.raises(ValueError, match="at most 2 ranks, or batch_size 4 or more"):
        Hyperparameters(batch_size=2).split(4)
    with pytest.raises(ValidationError, match="multiple"):
        Hyperparameters(batch_size=16, micro_batch_size=3)


def test_metric_lines_are_read_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = MetricTail(path)
    assert list(tail.new()) == []
    first = Metric(1, 2.5, 1e-3, None, 10, 30, 0.5, {"kl": 0.1})
    second = Metric(2, 2.0, 1e-3, 1.5, 10, 30, 0.7)
    writer = MetricWriter(path)
    writer.write(first)
    assert list(tail.new()) == [first]
    half, rest = second.to_line()[:20], second.to_line()[20:]
    with path.open("a") as file:
        file.write(half)
        file.flush()
        assert list(tail.new()) == []
        file.write(rest)
    assert list(tail.new()) == [second]
    assert list(tail.new()) == []
    writer.close()


def test_a_reader_that_raises_has_had_its_line(tmp_path: Path) -> None:
    writer = MetricWriter(tmp_path / "metrics.jsonl")
    for step in (1, 2, 3):
        writer.write(Metric(step, 1.0, 1.0, 1.0, 1, 1, 1.0))
    writer.close()
    tail = MetricTail(tmp_path / "metrics.jsonl")
    assert next(tail.new()).step == 1
    assert [metric.step for metric in tail.new()] == [2, 3]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TrainingDataError("bad", ("k",)), "data"),
        (NonFiniteLossError("nan"), "non_finite_loss"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out_of_memory"),
        (OSError(28, "No space left on device"), "disk_full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk_full"),
        (ZeroDivisionError("division by zero"), "crashed"),
    ],
)
def test_failures_have_names(error: Exception, kind: str, tmp_path: Path) -> None:
    failure = name_failure(error)
    assert failure.kind == kind
    assert failure.hint == HINTS[failure.kind]
    assert failure.message
    failure.write(tmp_path / "failure.json")
    assert Failure.read(tmp_path / "failure.json") == failure


@given(sizes, sizes, st.integers(1, 3), st.integers(0, 7), st.integers(0, 99))
def test_idle_places_carry_no_loss_and_change_nothing_else(
    n: int, batch: int, epochs: int, idle: int, seed: int
) -> None:
    plain = list(SeededOrder(n, batch, epochs, None, seed))
    order = SeededOrder(n, batch, epochs, None, seed, idle=idle)
    found = list(order)
    assert len(found) == len(order) == len(plain) // batch * (batch + idle)
    steps = [found[at : at + batch + idle] for at in range(0, len(found), batch + idle)]
    assert [index for step in steps for index in step[:batch]] == plain
    assert all(index < 0 for step in steps for index in step[batch:])
