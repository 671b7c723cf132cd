"""`zero_stage: auto` becomes a stage with offload, on the machine that trains. No torch here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psutil

from comd_platform.config.training import Hyperparameters
from comd_training.failures import ConfigurationError
from comd_training.memory.plan import GIB, Asked, Machine, NothingFits, choose
from comd_training.memory.shape import ModelShape, UnknownShape, read_shape
from comd_training.spec import TeacherSpec

LANGUAGE_LINEAR = (
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
)  # fmt: skip
"""Names that the linear layers of Llama-like language models have."""


def cards() -> list[float]:
    """Memory of each NVIDIA GPU of this machine in GiB, by NVIDIA's tool; none without it."""
    if shutil.which("nvidia-smi") is None:
        return []
    told = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [float(line) / 1024 for line in told.stdout.split("\n") if line.strip()]


def shape_of(model: str, asked: Hyperparameters) -> ModelShape:
    """The shape of a local model directory, trained as asked. Raises UnknownShape."""
    return with_adapters(read_shape(Path(model), asked.frozen, is_adapted), asked)


def with_adapters(shape: ModelShape, asked: Hyperparameters) -> ModelShape:
    """The shape as it is trained: with adapters beside it where LoRA is asked for."""
    return shape if asked.lora is None else shape.with_lora(asked.lora.rank)


def is_adapted(name: str) -> bool:
    """Whether LoRA stands beside this tensor: a linear layer of the language model."""
    module = name.removesuffix(".weight").rpartition(".")[2]
    return module in LANGUAGE_LINEAR and not any(part in name for part in ("vision", "visual"))


def memory_asked(asked: Hyperparameters, ranks: int) -> Asked:
    """What of the hyperparameters matters to memory."""
    return Asked(
        sequence=asked.max_length,
        micro_batch=asked.split(ranks).micro,
        precision=asked.precision,
        checkpointing=asked.gradient_checkpointing,
        quantized=asked.lora is not None and asked.lora.quantize,
    )


def settle(
    asked: Hyperparameters,
    model: str,
    revision: str | None,
    device: str,
    processes: int,
    nodes: int = 1,
    teacher: TeacherSpec | None = None,
) -> Hyperparameters:
    """`asked` with a stage and offload in place of auto; unchanged where it names a stage.

    processes: on each node. teacher: one that runs in the step, and takes its place on every card. A
    CPU takes ZeRO-1. Raises ConfigurationError where nothing fits or a model's size cannot be read.
    """
    if asked.zero_stage != "auto":
        return asked
    if device == "cpu":
        return asked.model_copy(update={"zero_stage": 1})
    from comd_training.student import resolve_model  # torch, which a stage that is named needs not

    found = cards()[:processes]
    if len(found) < processes:
        raise ConfigurationError(
            f"zero_stage auto: {processes} processes are asked for, and nvidia-smi tells of "
            f"{len(found)} GPUs; lower processes, or name a stage"
        )
    try:
        machine = Machine(
            gpus=processes,
            gpu_gib=min(found) - (0.0 if teacher is None else teacher_gib(teacher, asked)),
            nodes=nodes,
            cpu_gib=psutil.virtual_memory().total / GIB,
            nvme=asked.nvme_path is not None,
        )
        shape = shape_of(str(resolve_model(model, revision)), asked)
        option = choose(shape, machine, memory_asked(asked, machine.ranks))
    except (UnknownShape, NothingFits) as refused:
        raise ConfigurationError(f"zero_stage auto: {refused} ({refused.hint})") from refused
    return asked.model_copy(
        update={
            "zero_stage": option.stage,
            "offload_optimizer": option.offload_optimizer,
            "offload_parameters": option.offload_parameters,
        }
    )


def teacher_gib(teacher: TeacherSpec, asked: Hyperparameters) -> float:
    """What a frozen teacher takes of every card: all of its weights, whatever ZeRO's stage.

    Raises UnknownShape where its size cannot be read, ConfigurationError where there is none.
    """
    from comd_training.student import resolve_model

    total = read_shape(
        resolve_model(teacher.model, teacher.revision), asked.frozen, is_adapted
    ).total
    wide = teacher.dtype == "float32" or (teacher.dtype == "auto" and asked.precision == "fp32")
    return total * (4 if wide else 2) / GIB
