"""Runs a training as a subprocess of its own: starts it, listens to it, ends it. No torch here.

A GPU process must not fork, a crash must not take the worker along, and memory must really come
back: hence a process, and one group of processes for all ranks, so that nothing outlives it.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable

from comd_training.alone import alone
from comd_training.failures import (
    HINTS,
    Failure,
    FailureKind,
    TrainingFailed,
    tells_disk_full,
)
from comd_training.metrics import Metric, MetricTail, keep_until
from comd_training.orphan import Sign
from comd_training.pulse import Watchdog
from comd_training.ranks import Ranks
from comd_training.results import TrainingResult, read_result
from comd_training.resume import STOP, SUPERVISED, drop_all, find_standing, saved_step
from comd_training.spec import TrainingSpec

log = logging.getLogger(__name__)

ALIVE_EVERY = 2.0
STOP_PATIENCE = 100.0
"""Seconds for a training that was asked to stop to end its step and save."""
LOOK_EVERY = 0.1
LOG_TAIL = 2000


def run_training(
    spec: TrainingSpec,
    *,
    on_metric: Callable[[Metric], None],
    on_alive: Callable[[], None],
    on_saved: Callable[[int], None] = lambda _: None,
    timeout_s: float | None = None,
    stop: threading.Event | None = None,
    owner: str | None = None,
    from_template: bool = True,
) -> TrainingResult:
    """Tune as `spec` says and return the result; a checkpoint that already stands is returned.

    A training that was interrupted goes on from its last saved state.

    on_metric: called once per optimizer step, in order, from this thread; when a finished or an
        interrupted training is found, for all its steps again. `on_alive`: called every two seconds
        (a lease's heartbeat); `on_saved`: when a state stands from which to resume, with its step.
        Whatever they raise ends the training and is passed on.
    timeout_s: seconds this call may take. `stop`: set it to end the training; it saves first.
    owner: on whose behalf. Ranks still running on the same owner's are leftovers of a supervisor
        that lost its lease, and are ended; another owner's training is waited for.
    from_template: on a CPU, fork from a process that stays behind with everything imported, so
        that all but the first training of this supervisor start in no time (`template.py`).
    Raises TrainingFailed; then `output` holds failure.json and train.log, and no checkpoint.
    """
    spec.output.mkdir(parents=True, exist_ok=True)
    care = _Care(spec, on_alive, timeout_s, stop)
    tail = MetricTail(spec.output / "metrics.jsonl")
    with alone(spec, owner, care.check) as lock:
        found = finished(spec)
        if found is not None:
            drop_all(spec)  # it may have ended between its checkpoint and tidying up
        else:
            standing = _prepare(spec)
            watchdog = Watchdog(spec)
            care.sign = Sign(spec.output / SUPERVISED) if spec.hosts else None
            ranks = Ranks.start(spec, lock, from_template=from_template)
    # From here on the ranks hold the lock, for exactly as long as they run.
    if found is None:
        try:
            _supervise(spec, ranks, tail, on_metric, on_saved, care, watchdog, standing)
        finally:
            if care.sign is not None:
                care.sign.take_back()
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


class _Care:
    """What is due again and again while a training runs, or is waited for."""

    def __init__(
        self,
        spec: TrainingSpec,
        on_alive: Callable[[], None],
        timeout_s: float | None,
        stop: threading.Event | None,
    ) -> None:
        self._spec = spec
        self._on_alive = on_alive
        self._timeout_s = timeout_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._stop = stop
        self._alive_at = 0.0
        self.sign: Sign | None = None

    def check(self) -> None:
        """Raises what `on_alive` does, and TrainingFailed for the time limit or a stop."""
        self.alive()
        if self.asked_to_stop():
            raise self.stopped()

    def alive(self) -> bool:
        """Heartbeat and time limit; whether the heartbeat was due."""
        due = time.monotonic() - self._alive_at >= ALIVE_EVERY
        if due:
            if self.sign is not None:
                self.sign.give()
            self._on_alive()
            self._alive_at = time.monotonic()
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise _failed(self._spec, "timeout", f"no checkpoint after {self._timeout_s:g} seconds")
        return due

    def asked_to_stop(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def stopped(self) -> TrainingFailed:
        return _failed(self._spec, "stopped", "the training was stopped")


def _supervise(
    spec: TrainingSpec,
    ranks: Ranks,
    tail: MetricTail,
    on_metric: Callable[[Metric], None],
    on_saved: Callable[[int], None],
    care: _Care,
    watchdog: Watchdog,
    standing: int,
) -> None:
    """Until the ranks have ended. `standing`: the step that they go on from, 0 for the beginning."""
    saved = standing
    last = 0
    asked: float | None = None
    with ranks:
        while ranks.running():
            for metric in tail.new():
                on_metric(metric)
                last = metric.step
            if care.alive():
                now_saved = saved_step(spec) or 0
                if now_saved > saved:
                    saved = now_saved
                    on_saved(saved)
            if asked is None and care.asked_to_stop():
                if last <= standing:  # nothing has been learned that could be saved
                    raise care.stopped()
                (spec.output / STOP).touch()
                asked = time.monotonic()
            if asked is not None and time.monotonic() - asked > STOP_PATIENCE:
                raise care.stopped()
            hung = watchdog.hung()
            if hung is not None:
                raise _failed(spec, "hung", hung)
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
    tail = (spec.output / "train.log").read_bytes()[-LOG_TAIL:].decode("utf-8", "replace")
    if tells_disk_full(tail):  # and so left no failure.json
        return _failed(spec, "disk_full", tail.strip().splitlines()[-1])
    return _failed(spec, "crashed", f"the training process ended with {returncode}: {tail.strip()}")


def _failed(spec: TrainingSpec, kind: FailureKind, message: str) -> TrainingFailed:
    failure = Failure(kind, message, HINTS[kind])
    try:
        failure.write(spec.output / "failure.json")
    except OSError as error:  # a full disk: the caller is told all the same
        log.warning("cannot write %s: %s", spec.output / "failure.json", error)
    return TrainingFailed(failure)


def _prepare(spec: TrainingSpec) -> int:
    """Make the directory ready for a start; the step that it goes on from, 0 for the beginning."""
    for name in ("failure.json", "result.json", "train.log", STOP):
        (spec.output / name).unlink(missing_ok=True)
    found = find_standing(spec)
    step = 0 if found is None else found[1].step
    if found is None:
        drop_all(spec)
    keep_until(spec.output / "metrics.jsonl", step)
    told = spec.model_dump_json(indent=2)
    (spec.output / "spec.json").write_text(told, encoding="utf-8")
    return step


__all__ = ["Metric", "TrainingFailed", "TrainingResult", "finished", "run_training"]
