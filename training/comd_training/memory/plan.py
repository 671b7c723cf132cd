"""What of ZeRO and offload fits a machine, and which of it is the quickest: a pure function."""

from __future__ import annotations

from dataclasses import dataclass, replace

from comd_platform.config.training import Offload, Stage
from comd_platform.errors import ComdError
from comd_training.memory.activations import (
    FRAGMENTS,
    RUNTIME,
    activation_bytes,
    buffer_bytes,
)
from comd_training.memory.shape import ModelShape
from comd_training.memory.states import Precision, Weights, bytes_per_weight, model_states

GIB = 2**30

CHOICES: tuple[tuple[Stage, Offload, Offload], ...] = (
    (1, "none", "none"),
    (2, "none", "none"),
    (3, "none", "none"),
    (2, "cpu", "none"),
    (3, "cpu", "none"),
    (3, "cpu", "cpu"),
    (3, "nvme", "cpu"),
    (3, "nvme", "nvme"),
)
"""Stage, optimizer's and weights' offload, the quickest first: each takes less of the cards than
what stands before it, and more of the network, the bus, the CPU or the disk."""


class NothingFits(ComdError):
    """No stage and no offload makes this training fit this machine."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`nodes` of `gpus` GPUs with `gpu_gib` each; `cpu_gib`: a node's memory; None: not known."""

    gpus: int
    gpu_gib: float
    nodes: int = 1
    cpu_gib: float | None = None
    nvme: bool = False

    @property
    def ranks(self) -> int:
        return self.gpus * self.nodes


@dataclass(frozen=True, slots=True)
class Asked:
    """How it is trained, as far as memory is concerned; `quantized`: QLoRA's 4 bit weights."""

    sequence: int
    micro_batch: int
    precision: Precision
    checkpointing: bool
    quantized: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One stage with offload. Bytes: the first five of a GPU, `cpu` and `nvme` of a node.

    buffers: DeepSpeed's, the CUDA runtime's and fragmentation; `why`: what does not fit, or "".
    """

    stage: Stage
    offload_optimizer: Offload
    offload_parameters: Offload
    parameters: int
    gradients: int
    optimizer: int
    activations: int
    buffers: int
    cpu: int
    nvme: int
    why: str = ""

    @property
    def gpu(self) -> int:
        return self.parameters + self.gradients + self.optimizer + self.activations + self.buffers

    @property
    def fits(self) -> bool:
        return not self.why

    @property
    def name(self) -> str:
        """ZeRO-3, optimizer on cpu, say."""
        moved = [
            f"{what} on {where}"
            for what, where in (
                ("optimizer", self.offload_optimizer),
                ("weights", self.offload_parameters),
            )
            if where != "none"
        ]
        return ", ".join([f"ZeRO-{self.stage}", *moved])


@dataclass(frozen=True, slots=True)
class Plan:
    """All options in order of speed, and the first that fits; None where none does."""

    options: tuple[Option, ...]
    chosen: Option | None


def plan(model: ModelShape, machine: Machine, asked: Asked) -> Plan:
    """Every option with what it takes, and the quickest of those that fit."""
    weights = Weights(
        model.total, model.trained, model.largest_layer, bytes_per_weight(asked.precision)
    )
    options = tuple(
        _fit(_option(model, weights, machine, asked, *choice), machine, asked) for choice in CHOICES
    )
    return Plan(options, next((option for option in options if option.fits), None))


def choose(model: ModelShape, machine: Machine, asked: Asked) -> Option:
    """The quickest option that fits. Raises NothingFits, with the least that would have to change."""
    planned = plan(model, machine, asked)
    if planned.chosen is not None:
        return planned.chosen
    least = min(planned.options, key=lambda option: option.gpu)
    beside = "" if machine.cpu_gib is None else f", {machine.cpu_gib:.0f} GiB beside them"
    raise NothingFits(
        f"no ZeRO stage fits {model.total / 1e9:.1f}B parameters ({model.trained / 1e9:.1f}B trained) "
        f"on {machine.nodes} x {machine.gpus} GPUs of {machine.gpu_gib:.0f} GiB{beside}: "
        f"{least.name} takes {least.gpu / GIB:.1f} GiB of each GPU and {least.cpu / GIB:.0f} GiB of a "
        "node",
        hint="; ".join(_advice(least, model, machine, asked)),
    )


def _option(
    model: ModelShape,
    weights: Weights,
    machine: Machine,
    asked: Asked,
    stage: Stage,
    optimizer: Offload,
    parameters: Offload,
) -> Option:
    if asked.quantized:
        # Frozen weights in 4 bits and a scale for every 64 of them; the others as they are.
        frozen = weights.total - weights.trained
        stored = (frozen * QUANTIZED + weights.trained * weights.weight_bytes) / weights.total
        weights = replace(weights, weight_bytes=stored)
    states = model_states(weights, stage, optimizer, parameters, machine.gpus, machine.nodes)
    size = bytes_per_weight(asked.precision)
    activations = activation_bytes(
        model.transformer,
        asked.sequence,
        asked.micro_batch,
        size,
        checkpointing=asked.checkpointing,
    )
    buffers = buffer_bytes(weights, stage, parameters, machine.ranks)
    lost = int(FRAGMENTS * (states.gpu + activations + buffers)) + RUNTIME
    return Option(
        stage=stage,
        offload_optimizer=optimizer,
        offload_parameters=parameters,
        parameters=states.parameters,
        gradients=states.gradients,
        optimizer=states.optimizer,
        activations=activations,
        buffers=buffers + lost,
        cpu=states.cpu,
        nvme=states.nvme,
    )


QUANTIZED = 0.5 + 0.5 / 16
"""Bytes of a weight under NF4 with double quantisation (Dettmers et al. 2023, section 3)."""


def _fit(option: Option, machine: Machine, asked: Asked) -> Option:
    if asked.quantized and option.stage == 3:
        return replace(option, why="4 bit weights cannot be divided")
    if "nvme" in (option.offload_optimizer, option.offload_parameters) and not machine.nvme:
        return replace(option, why="no NVMe folder given")
    if option.gpu > machine.gpu_gib * GIB:
        return replace(option, why="too large for the GPU")
    # Without offload `cpu` is a moment's, while weights are read; safetensors need less than that.
    moved = option.offload_optimizer != "none" and machine.cpu_gib is not None
    if moved and option.cpu > (machine.cpu_gib or 0) * GIB:
        return replace(option, why="too large for the node's memory")
    return option


def _advice(least: Option, model: ModelShape, machine: Machine, asked: Asked) -> list[str]:
    said = []
    if least.activations > machine.gpu_gib * GIB / 4:
        if asked.micro_batch > 1:
            said.append("lower micro_batch_size")
        if not asked.checkpointing:
            said.append("turn gradient_checkpointing on")
    if not machine.nvme and plan(model, replace(machine, nvme=True), asked).chosen is not None:
        said.append("name a folder on an NVMe disk (nvme_path)")
    said.append("train with LoRA (lora.rank)")
    said.append("or use more or larger GPUs, or more nodes")
    return said
