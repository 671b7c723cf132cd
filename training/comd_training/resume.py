"""Where an interrupted training stands on disk: complete or not there, one at a time. No torch here.

    output/resume/step-00000300/   state.json, DeepSpeed's files, one file a rank

Written aside by all ranks, synced, renamed by the first; then the one before is removed.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from comd_training.files import write_json
from comd_training.spec import TrainingSpec

STOP = "stop"
"""A file of this name in the output directory asks the training to save and leave."""

SUPERVISED = "supervisor"
"""A file that the supervisor of ranks on several hosts touches as long as it is there."""

_STATE = "state.json"
_LIBRARIES = ("torch", "transformers", "deepspeed", "accelerate")


@dataclass(frozen=True, slots=True)
class Standing:
    """After `step` optimizer steps: what the metrics and the result go on from.

    fingerprint: of the spec; libraries: versions, since their files are not promised to be read by
    others; loss_sum: of the steps' losses; seconds: of all training processes so far; scheduler:
    its state dict.
    """

    fingerprint: str
    libraries: dict[str, str]
    step: int
    tokens: int
    loss_tokens: int
    loss_sum: float
    seconds: float
    scheduler: dict[str, Any]

    def write(self, directory: Path) -> None:
        write_json(directory / _STATE, asdict(self))


def libraries() -> dict[str, str]:
    """The versions of everything whose state is in the files."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def resume_root(spec: TrainingSpec) -> Path:
    return spec.output / "resume"


def aside(spec: TrainingSpec) -> Path:
    """Where the next state is written before it is renamed."""
    return spec.output / ".resume.tmp"


def step_directory(spec: TrainingSpec, step: int) -> Path:
    return resume_root(spec) / f"step-{step:08d}"


def saved_step(spec: TrainingSpec) -> int | None:
    """The step of the newest state, whoever's; a look at names only."""
    names = sorted(path.name for path in resume_root(spec).glob("step-*"))
    return int(names[-1].removeprefix("step-")) if names else None


def find_standing(spec: TrainingSpec) -> tuple[Path, Standing] | None:
    """The newest state that this spec, with these libraries, can go on from."""
    for directory in sorted(resume_root(spec).glob("step-*"), reverse=True):
        told = json.loads((directory / _STATE).read_text(encoding="utf-8"))
        standing = Standing(**told)
        if standing.fingerprint == spec.fingerprint() and standing.libraries == libraries():
            return directory, standing
    return None


def drop_older(spec: TrainingSpec, step: int) -> None:
    """Remove every state but that of `step`: the disk holds two for a moment, never three."""
    for directory in resume_root(spec).glob("step-*"):
        if directory != step_directory(spec, step):
            shutil.rmtree(directory)


def drop_all(spec: TrainingSpec) -> None:
    """Nothing is left to resume: the training is done, or another one begins."""
    shutil.rmtree(resume_root(spec), ignore_errors=True)
    shutil.rmtree(aside(spec), ignore_errors=True)
