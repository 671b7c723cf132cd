"""How a training can end badly: a kind, a message and what to do next. No torch here.

The subprocess names its failure in `output/failure.json`; the supervisor raises it as
`TrainingFailed`. What a kind means for the loop: `data` names instructions that can be set aside
before another attempt, `configuration` needs a person, the others may pass on another attempt.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, get_args

from comd_training.files import write_json

FailureKind = Literal[
    "data",
    "configuration",
    "out_of_memory",
    "disk_full",
    "non_finite_loss",
    "killed",
    "timeout",
    "hung",
    "stopped",
    "busy",
    "crashed",
]

HINTS: dict[FailureKind, str] = {
    "data": "Set the named instructions aside (or repair them) and start the training again.",
    "configuration": "Change the named setting in the run's tune section and start again.",
    "out_of_memory": "Lower micro_batch_size or max_length, turn gradient_checkpointing on, "
    "or raise zero_stage.",
    "disk_full": "Free space where the training's output directory lies (a saved state takes some "
    "12 bytes a parameter) and start again: it goes on from the last saved state.",
    "non_finite_loss": "Lower learning_rate, use bf16 or fp32 instead of fp16, and look at the "
    "examples of the named step. A branch with another training.learning_rate shares all else.",
    "killed": "Something outside ended the process; the kernel's log says whether memory ran out.",
    "timeout": "Raise the time limit, or lower the steps.",
    "hung": "Look at the named rank (its GPU, its machine) and at train.log, then start again: it "
    "goes on from the last saved state. training.hang_seconds is how long it may stand still.",
    "stopped": "Asked for; started again it goes on from where it was saved.",
    "busy": "Another process is training into the same directory; wait for it or stop it.",
    "crashed": "The end of train.log holds the traceback.",
}


class TrainingDataError(Exception):
    """Examples that cannot be learned from; `instruction_keys` names them."""

    def __init__(self, message: str, instruction_keys: tuple[str, ...]) -> None:
        super().__init__(message)
        self.instruction_keys = instruction_keys


class ConfigurationError(Exception):
    """A setting that cannot work with this model, processor or machine."""


class NonFiniteLossError(Exception):
    """The loss became NaN or infinite."""


class StoppedError(Exception):
    """The training was asked to stop, and has saved where it stands."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The named end of a training, as `failure.json` holds it."""

    kind: FailureKind
    message: str
    hint: str
    instruction_keys: tuple[str, ...] = field(default=())

    def write(self, path: Path) -> None:
        """Durable and whole, or not there."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Failure:
        """Raises FileNotFoundError where there is none, ValueError where it is not one of ours."""
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.get("kind") not in get_args(FailureKind):
            raise ValueError(f"{path}: unknown kind of failure {told.get('kind')!r}")
        return cls(
            kind=told["kind"],
            message=str(told["message"]),
            hint=str(told["hint"]),
            instruction_keys=tuple(told.get("instruction_keys", ())),
        )


class TrainingFailed(Exception):
    """A training ended without a checkpoint."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.kind}: {failure.message} ({failure.hint})")
        self.failure = failure

    @property
    def kind(self) -> FailureKind:
        return self.failure.kind

    @property
    def message(self) -> str:
        return self.failure.message

    @property
    def hint(self) -> str:
        return self.failure.hint

    @property
    def instruction_keys(self) -> tuple[str, ...]:
        return self.failure.instruction_keys


def name_failure(error: BaseException) -> Failure:
    """The kind of failure an exception of the training process stands for."""
    kind = _kind(error)
    keys = error.instruction_keys if isinstance(error, TrainingDataError) else ()
    message = str(error) or type(error).__name__
    if kind == "crashed":
        message = f"{type(error).__name__}: {message}"
    return Failure(kind, message, HINTS[kind], keys)


def _kind(error: BaseException) -> FailureKind:
    if isinstance(error, TrainingDataError):
        return "data"
    if isinstance(error, ConfigurationError):
        return "configuration"
    if isinstance(error, NonFiniteLossError):
        return "non_finite_loss"
    if isinstance(error, StoppedError):
        return "stopped"
    if _is_out_of_memory(error):
        return "out_of_memory"
    if is_disk_full(error):
        return "disk_full"
    return "crashed"


def _is_out_of_memory(error: BaseException) -> bool:
    # torch raises OutOfMemoryError on CUDA and a plain RuntimeError from its CPU allocator.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in told or "can't allocate memory" in told or "alloc_cpu" in told
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether there was no room to write; a quota and a limit on the size of files count too."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return True
    # safetensors and torch wrap the system's error in one of their own.
    return tells_disk_full(str(error))


def tells_disk_full(text: str) -> bool:
    """Whether a message or a log says so."""
    return any(os.strerror(number) in text for number in _NO_ROOM)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
