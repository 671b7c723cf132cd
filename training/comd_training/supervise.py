"""Runs a training as a subprocess of its own: starts it, listens to it, ends it. No torch here.

A GPU process must not fork, a crash must not take the worker along, and memory must really come
back: hence a process, and one group of processes for all ranks, so that nothing outlives it.
"""

from __future__ import annotations

import fcntl
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from comd_training.failures import HINTS, Failure, FailureKind, TrainingFailed
from comd_training.metrics import Metric, MetricTail
from comd_training.ranks import Ranks
from comd_training.results import TrainingResult, read_result
from comd_training.spec import TrainingSpec

ALIVE_EVERY = 2.0
LOOK_EVERY = 0.1
LOG_TAIL = 2000


def run_training(
    spec: TrainingSpec,
    *,
    on_metric: Callable[[Metric], None],
    on_alive: Callable[[], None],
    timeout_s: float | None = None,
    stop: threading.Event | None = None,
    from_template: bool = True,
) -> TrainingResult:
    """Tune as `spec` says and return the result; a checkpoint that already stands is returned.

    on_metric: called once per optimizer step, in order, from this thread; when a finished
        training is found, for all its steps again. `on_alive`: called every two seconds (a lease's
        heartbeat). Whatever they raise ends the training and is passed on.
    timeout_s: seconds this call may take. `stop`: set it to end the training.
    from_template: on a CPU, fork from a process that stays behind with everything imported, so
        that all but the first training of this supervisor start in no time (`template.py`).
    Raises TrainingFailed; then `output` holds failure.json and train.log, and no checkpoint.
    """
    spec.output.mkdir(parents=True, exist_ok=True)
    with _alone(spec) as lock:
        tail = MetricTail(spec.output / "metrics.jsonl")
        found = finished(spec)
        if found is None:
            _clear(spec)
            (spec.output / "spec.json").write_text(spec.model_dump_json(indent=2), encoding="utf-8")
            ranks = Ranks.start(spec, lock, from_template=from_template)
            _supervise(spec, ranks, tail, on_metric, on_alive, timeout_s, stop)
            found = read_result(spec.checkpoint)
            if found is None:
                raise _failed(spec, "crashed", "the training ended well but left no checkpoint")
        for metric in tail.new():
            on_metric(metric)
        return found


def finished(spec: TrainingSpec) -> TrainingResult | None:
    """The result of an earlier training of exactly this spec; None where there is none yet.

    Raises TrainingFailed where the directory holds the checkpoint of another training.
    """
    found = read_result(spec.checkpoint)
    if found is None:
        if spec.checkpoint.exists():
            raise _failed(spec, "configuration", f"{spec.checkpoint} is not one of ours")
        return None
    if found.fingerprint != spec.fingerprint():
        raise _failed(
            spec, "configuration", f"{spec.checkpoint} was trained from another spec or other data"
        )
    return found


def _supervise(
    spec: TrainingSpec,
    ranks: Ranks,
    tail: MetricTail,
    on_metric: Callable[[Metric], None],
    on_alive: Callable[[], None],
    timeout_s: float | None,
    stop: threading.Event | None,
) -> None:
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    alive_at = 0.0
    with ranks:
        while ranks.running():
            for metric in tail.new():
                on_metric(metric)
            if time.monotonic() - alive_at >= ALIVE_EVERY:
                on_alive()
                alive_at = time.monotonic()
            if stop is not None and stop.is_set():
                raise _failed(spec, "stopped", "the training was stopped")
            if deadline is not None and time.monotonic() > deadline:
                raise _failed(spec, "timeout", f"no checkpoint after {timeout_s:g} seconds")
            time.sleep(LOOK_EVERY)
        failed = ranks.failed()
    if failed is not None:
        raise _named(spec, failed)


def _named(spec: TrainingSpec, returncode: int) -> TrainingFailed:
    """What the process said about its end, or what the way it ended says."""
    path = spec.output / "failure.json"
    if path.exists():
        return TrainingFailed(Failure.read(path))
    if returncode < 0:
        name = signal.Signals(-returncode).name
        return _failed(spec, "killed", f"the training process was ended by {name}")
    log = (spec.output / "train.log").read_bytes()[-LOG_TAIL:].decode("utf-8", "replace")
    return _failed(spec, "crashed", f"the training process ended with {returncode}: {log.strip()}")


def _failed(spec: TrainingSpec, kind: FailureKind, message: str) -> TrainingFailed:
    failure = Failure(kind, message, HINTS[kind])
    failure.write(spec.output / "failure.json")
    return TrainingFailed(failure)


def _clear(spec: TrainingSpec) -> None:
    for name in ("metrics.jsonl", "failure.json", "result.json", "train.log"):
        (spec.output / name).unlink(missing_ok=True)


@contextmanager
def _alone(spec: TrainingSpec) -> Iterator[IO[bytes]]:
    """Holds the output directory's lock. The ranks inherit it: it is free when all have ended.

    So a worker that takes over after a kill -9 cannot start beside ranks that are still dying.
    """
    with (spec.output / ".lock").open("ab") as lock:
        waited_until = time.monotonic() + 10
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > waited_until:
                    kind: FailureKind = "busy"
                    raise TrainingFailed(
                        Failure(kind, f"{spec.output} is being trained into", HINTS[kind])
                    ) from None
                time.sleep(0.2)
        # Not unlocked by hand: closing our descriptor leaves the ranks' share of the lock alone.
        yield lock


__all__ = ["Metric", "TrainingFailed", "TrainingResult", "finished", "run_training"]
