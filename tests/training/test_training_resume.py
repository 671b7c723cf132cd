"""Trainings that are interrupted and go on: real processes, real DeepSpeed states, real faults."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from comd_platform.faults import VARIABLE
from comd_training.metrics import Metric
from comd_training.pulse import Pulse, Watchdog
from comd_training.resume import find_standing, resume_root, saved_step
from comd_training.spec import TrainingSpec
from comd_training.supervise import TrainingFailed, TrainingResult, run_training

SpecOf = Callable[..., TrainingSpec]

pytestmark = pytest.mark.timeout(280)


def train(
    spec: TrainingSpec, on_metric: Callable[[Metric], None] = lambda _: None, **how: object
) -> tuple[TrainingResult, list[Metric]]:
    metrics: list[Metric] = []

    def record(metric: Metric) -> None:
        metrics.append(metric)
        on_metric(metric)

    result = run_training(spec, on_metric=record, on_alive=lambda: None, **how)  # type: ignore[arg-type]
    return result, metrics


def saving(spec: TrainingSpec, steps: int, **changes: object) -> TrainingSpec:
    return spec.model_copy(update={"save_every_steps": steps, **changes})


def ranks_of(spec: TrainingSpec) -> list[psutil.Process]:
    """By rank, from their pulses."""
    files = sorted(spec.output.glob(".pulse-*"))
    return [psutil.Process(int(path.read_text().split()[0])) for path in files]


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "faults"
    directory.mkdir()
    monkeypatch.setenv(VARIABLE, str(directory))
    return directory


def same_training(
    resumed: tuple[TrainingResult, list[Metric]], whole: tuple[TrainingResult, list[Metric]]
) -> None:
    """Bit for bit: the same steps, losses, rates, tokens, weights."""
    told = [(m.step, m.loss, m.learning_rate, m.grad_norm, m.loss_tokens) for m in resumed[1]]
    assert told == [(m.step, m.loss, m.learning_rate, m.grad_norm, m.loss_tokens) for m in whole[1]]
    for name in ("steps", "dialogues", "tokens", "loss_tokens", "train_loss", "weights_sha256"):
        assert getattr(resumed[0], name) == getattr(whole[0], name), name


def test_a_killed_training_goes_on_from_where_it_was_saved(spec_of: SpecOf) -> None:
    whole = train(spec_of("whole", epochs=6))
    spec = saving(spec_of("cut", epochs=6), 5)

    def kill_at_8(metric: Metric) -> None:
        if metric.step == 8:
            ranks_of(spec)[0].kill()

    with pytest.raises(TrainingFailed, match="SIGKILL"):
        train(spec, kill_at_8)
    step = saved_step(spec)
    assert step is not None
    assert step >= 5
    assert len(list(resume_root(spec).iterdir())) == 1  # bounded: the newest alone
    pickles = [p for p in spec.output.rglob("*") if p.is_file() and p.read_bytes()[:2] == b"PK"]
    assert not pickles

    saved: list[int] = []
    resumed = train(spec, on_saved=saved.append)
    same_training(resumed, whole)
    log = (spec.output / "train.log").read_text()
    assert "Traceback" not in log
    assert not resume_root(spec).exists()
    assert not list(spec.output.glob(".*tmp"))
    # The clock goes on as well.
    seconds = [m.seconds for m in resumed[1]]
    assert seconds == sorted(seconds)


def test_a_training_that_is_asked_to_stop_saves_first(spec_of: SpecOf) -> None:
    whole = train(spec_of("whole", epochs=6))
    spec = spec_of("cut", epochs=6)  # no state would be saved for its own sake
    stop = threading.Event()
    with pytest.raises(TrainingFailed, match="saved") as stopped:
        train(spec, lambda m: stop.set() if m.step == 3 else None, stop=stop)
    assert stopped.value.kind == "stopped"
    found = find_standing(spec)
    assert found is not None
    assert 3 <= found[1].step < 16
    same_training(train(spec), whole)


def test_what_a_training_left_that_died_after_its_checkpoint_is_tidied_up(
    spec_of: SpecOf, faults: Path
) -> None:
    spec = saving(spec_of("run", epochs=2), 2)
    (faults / "training.published").write_text("kill")
    with pytest.raises(TrainingFailed, match="SIGKILL"):
        train(spec, from_template=False)
    assert spec.checkpoint.exists()
    assert saved_step(spec) is not None
    result, metrics = train(spec, timeout_s=0)
    assert [m.step for m in metrics] == list(range(1, result.steps + 1))
    assert saved_step(spec) is None


@pytest.mark.full
def test_what_another_spec_saved_is_not_gone_on_from(spec_of: SpecOf) -> None:
    spec = spec_of("run", epochs=6)
    stop = threading.Event()
    with pytest.raises(TrainingFailed):
        train(spec, lambda m: stop.set() if m.step == 3 else None, stop=stop)
    other = spec.model_copy(update={"seed": 4})
    assert find_standing(other) is None
    fresh = train(spec_of("fresh", epochs=6).model_copy(update={"seed": 4}))
    same_training(train(other), fresh)


def test_a_full_disk_is_named_and_what_stood_is_gone_on_from(spec_of: SpecOf) -> None:
    """A limit on the size of files, set from outside while it runs, as a disk fills up."""
    whole = train(spec_of("whole", epochs=6))
    spec = saving(spec_of("full", epochs=6), 4)

    def fill(metric: Metric) -> None:
        if metric.step == 5:
            process = ranks_of(spec)[0]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))

    with pytest.raises(TrainingFailed, match="goes on from the last saved state") as full:
        train(spec, fill)
    assert full.value.kind == "disk_full"
    assert saved_step(spec) is not None
    assert not list(spec.output.glob(".*tmp"))
    same_training(train(spec), whole)


def test_memory_that_runs_out_is_named_and_the_training_goes_on(
    spec_of: SpecOf, faults: Path
) -> None:
    """The one fault that cannot be had for real on a CPU: planted between a save and the next."""
    spec = saving(spec_of("run", epochs=3), 2)
    (faults / "training.saving").write_text("out_of_memory")
    with pytest.raises(TrainingFailed, match="micro_batch_size") as failed:
        train(spec, from_template=False)
    assert failed.value.kind == "out_of_memory"
    result, metrics = train(spec, from_template=False)
    assert [m.step for m in metrics] == list(range(1, result.steps + 1))


def freeze_at_3(spec: TrainingSpec, rank: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """SIGSTOP to a rank; before that the watchdog looks on, so that a slow start is no hang."""
    frozen = threading.Event()
    patience = property(lambda _: spec.hang_seconds if frozen.is_set() else None)
    monkeypatch.setattr(Watchdog, "seconds", patience)

    def freeze(metric: Metric) -> None:
        if metric.step == 3:
            os.kill(ranks_of(spec)[rank].pid, signal.SIGSTOP)
            frozen.set()

    return freeze


def test_a_hung_training_is_ended_and_named(
    spec_of: SpecOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of("hung", max_steps=1_000_000).model_copy(update={"hang_seconds": 3.0})
    with pytest.raises(TrainingFailed, match=r"rank 0 \(pid .*stopped by a signal") as hung:
        train(spec, freeze_at_3(spec, 0, monkeypatch))
    assert hung.value.kind == "hung"
    assert "hang_seconds" in hung.value.hint


@pytest.mark.full
def test_leftover_ranks_of_the_same_owner_are_ended(spec_of: SpecOf) -> None:
    """What a worker finds that takes over from one that froze: its ranks go on by themselves."""
    spec = spec_of("run", max_steps=1_000_000)
    started = threading.Event()
    ended: list[str] = []

    def first() -> None:
        with pytest.raises(TrainingFailed) as failed:
            train(spec, lambda _: started.set(), owner="training run 1")
        ended.append(failed.value.kind)

    thread = threading.Thread(target=first)
    thread.start()
    assert started.wait(200)
    stop = threading.Event()
    with pytest.raises(TrainingFailed) as second:
        train(spec, lambda m: stop.set(), stop=stop, owner="training run 1", from_template=False)
    thread.join()
    assert (ended, second.value.kind) == (["killed"], "stopped")


def test_whoever_is_behind_is_named(spec_of: SpecOf) -> None:
    spec = spec_of("run", processes=2).model_copy(update={"hang_seconds": 0.000001})
    watchdog = Watchdog(spec)
    assert watchdog.hung() is None or "rank 0, 1 gave no sign" in str(watchdog.hung())
    pulses = [Pulse(spec.output, rank) for rank in range(2)]
    for _ in range(3):
        pulses[0](7, "agreeing on a batch")
    pulses[1](6, "reading a batch")
    watchdog.hung()
    told = watchdog.hung()
    assert told is not None
    assert told.startswith(f"rank 1 (pid {os.getpid()}) has not moved")
    assert "after step 6, at: reading a batch" in told


@pytest.mark.full
@pytest.mark.parametrize(
    ("zero_stage", "processes", "precision"),
    [
        (1, 2, "fp32"),
        (2, 2, "fp32"),
        (3, 1, "fp32"),
        (3, 2, "fp32"),
        (2, 1, "bf16"),
        (3, 2, "bf16"),
    ],
)
@pytest.mark.timeout(1200)
def test_every_stage_and_number_of_ranks_goes_on_as_if_nothing_had_been(
    spec_of: SpecOf, zero_stage: int, processes: int, precision: str
) -> None:
    asked = {
        "epochs": 5,
        "zero_stage": zero_stage,
        "processes": processes,
        "precision": precision,
        "micro_batch_size": 2,
    }
    whole = train(spec_of("whole", **asked))
    spec = saving(spec_of("cut", **asked), 5)

    def kill_the_last_rank(metric: Metric) -> None:
        if metric.step == 7:
            ranks_of(spec)[-1].kill()

    with pytest.raises(TrainingFailed):
        train(spec, kill_the_last_rank)
    assert saved_step(spec) is not None
    same_training(train(spec), whole)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_one_hung_rank_of_two_is_named(spec_of: SpecOf, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of("hung", processes=2, max_steps=1_000_000)
    spec = spec.model_copy(update={"hang_seconds": 5.0})
    with pytest.raises(TrainingFailed, match=r"rank 1.* stopped by a signal") as hung:
        train(spec, freeze_at_3(spec, 1, monkeypatch))
    assert hung.value.kind == "hung"
