"""What a training process is told: one JSON file, written by the worker, read by the subprocess."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from comd_platform.config.training import Hyperparameters

Layout = Literal["dialogue", "caption"]

__all__ = [
    "Hyperparameters",
    "Layout",
    "TeacherSpec",
    "TrainingSpec",
    "file_sha256",
    "training_device",
]


_NOT_DECISIVE = {
    "output",
    "image_root",
    "threads",
    "examples",
    "save_every_seconds",
    "save_every_steps",
    "hang_seconds",
    "token_cache",
    "hosts",
    "master_port",
    "launcher",
}


class Host(NamedTuple):
    """A line of a hostfile: a machine that ssh knows by `name`, with `slots` ranks."""

    name: str
    slots: int


class TeacherSpec(BaseModel):
    """The teacher that a white-box objective runs beside the student."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="Directory or hub id.")
    revision: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: the training's precision."
    )
    trust_remote_code: bool = False


class TrainingSpec(BaseModel):
    """Everything the subprocess needs; it never opens the database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: Path = Field(description="Parquet, one dialogue a row (comd_training.examples).")
    image_root: Path
    model: str = Field(description="Directory or hub id the weights are read from.")
    revision: str | None = None
    output: Path = Field(
        description="Directory of this training run; holds metrics and checkpoint."
    )
    seed: int = Field(ge=0, lt=2**63)
    device: Literal["cpu", "cuda"] = "cpu"
    processes: PositiveInt = Field(1, description="Ranks on this host, where it is the only one.")
    hosts: tuple[Host, ...] = Field(
        (), description="Machines that share the ranks, the first being rank 0's; none: this one."
    )
    launcher: tuple[str, ...] = Field(
        (), description="Further words for the deepspeed launcher that starts ranks on `hosts`."
    )
    threads: PositiveInt | None = Field(
        None, description="CPU threads a rank; unset: the CPUs this process may use, shared out."
    )
    master_port: PositiveInt | None = Field(
        None, description="Port of rank 0 that other hosts reach; unset: one that is free here."
    )
    save_every_seconds: PositiveFloat | None = Field(
        None, description="Save where it stands; never more than a tenth of the time goes into it."
    )
    save_every_steps: PositiveInt | None = None
    hang_seconds: PositiveFloat | None = Field(
        None, description="End it when no rank has moved for so long (pulse.py)."
    )
    token_cache: Path | None = Field(
        None, description="Directory of tokenised training sets (tokens.py); unset: in `output`."
    )
    layout: Layout = Field(
        "dialogue",
        description="dialogue: turns through the chat template; caption: picture, caption, newline "
        "(stage 1).",
    )
    hyperparameters: Hyperparameters
    trust_remote_code: bool = False
    teacher: TeacherSpec | None = Field(None, description="For objectives with teacher: in_step.")
    teacher_logits: Path | None = Field(
        None, description="For objectives with teacher: stored (comd_training.stored_logits)."
    )

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        if self.hyperparameters.zero_stage == "auto":
            raise ValueError("zero_stage auto is settled before a training is asked for (settle)")
        self.hyperparameters.split(self.ranks)
        objective = self.hyperparameters.objective
        if objective.needs_teacher and self.teacher is None:
            raise ValueError(f"objective {objective.name} runs the teacher, and none is named")
        if objective.stored_top_k is not None and self.teacher_logits is None:
            raise ValueError(
                f"objective {objective.name} reads stored logits, and no file is named"
            )
        if self.device == "cpu" and self.hyperparameters.precision == "fp16":
            raise ValueError("fp16 needs a GPU; on a CPU use precision fp32 or bf16")
        return self

    @property
    def checkpoint(self) -> Path:
        """Where the tuned weights stand once they are complete."""
        return self.output / "checkpoint"

    @property
    def token_root(self) -> Path:
        """Where tokenised training sets are kept; in `output`, for as long as it trains."""
        return self.token_cache or self.output / ".tokens"

    @property
    def ranks(self) -> int:
        """Processes in all, over all hosts."""
        return sum(host.slots for host in self.hosts) or self.processes

    def threads_per_rank(self) -> int:
        """`threads`, or an equal share of the CPUs that this process may use."""
        if self.threads is not None:
            return self.threads
        if hasattr(os, "sched_getaffinity"):
            available = len(os.sched_getaffinity(0))
        else:
            available = os.cpu_count() or 1
        return max(1, available // self.processes)

    def fingerprint(self) -> str:
        """SHA-256 of all that decides the weights; the examples count by content, not by path.

        Where the results go, how many CPU threads compute them, how often it is saved and how long
        it may hang is left out. A local model counts
        by path, size and modification time of its weight files, so that a rebuilt one is another.
        """
        told = self.model_dump(mode="json", exclude=_NOT_DECISIVE)
        told["ranks"] = self.ranks
        told["examples"] = file_sha256(self.examples)
        told["weights"] = _weight_files(Path(self.model))
        if self.teacher is not None:
            told["teacher_weights"] = _weight_files(Path(self.teacher.model))
        if self.teacher_logits is not None:
            told["teacher_logits"] = file_sha256(self.teacher_logits)
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def training_device(wanted: str) -> str:
    """`auto` without importing torch: a GPU box has NVIDIA's tool on its path."""
    if wanted != "auto":
        return wanted
    return "cuda" if shutil.which("nvidia-smi") else "cpu"


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weight_files(model: Path) -> list[tuple[str, int, int]]:
    if not model.is_dir():
        return []
    found = sorted(model.glob("*.safetensors"))
    return [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in found]
