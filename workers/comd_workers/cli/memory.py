"""`comd plan-memory`: which ZeRO stage and which offload a training needs on given cards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from comd_workers.cli.options import AsJson
from comd_workers.cli.output import print_json, table

if TYPE_CHECKING:
    from comd_platform.config.training import Hyperparameters
    from comd_training.memory import Machine, ModelShape, Option, Plan

_GIB = 2**30


def plan_memory(
    config: Annotated[
        Path | None, typer.Argument(help="A run config to take the training's settings from.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="A run in the database, instead of a config file.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The student's directory; unset: the config's.")
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option("--parameters", help="A size such as 7B, where the weights are not here."),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=1, help="GPUs a node; unset: those of this machine.")
    ] = None,
    gpu_memory: Annotated[
        float | None, typer.Option("--gpu-memory", min=0.1, help="GiB of each GPU.")
    ] = None,
    nodes: Annotated[int | None, typer.Option("--nodes", min=1, help="Machines.")] = None,
    cpu_memory: Annotated[
        float | None,
        typer.Option("--cpu-memory", min=0.1, help="GiB of each node beside its GPUs."),
    ] = None,
    nvme: Annotated[
        bool, typer.Option("--nvme", help="Each node has a fast disk to offload to (nvme_path).")
    ] = False,
    sequence: Annotated[
        int | None, typer.Option("--sequence", min=1, help="Tokens a dialogue (max_length).")
    ] = None,
    micro_batch: Annotated[
        int | None, typer.Option("--micro-batch", min=1, help="Dialogues a GPU and forward pass.")
    ] = None,
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"] | None,
        typer.Option("--precision", help="Of weights and activations; fp16 on V100."),
    ] = None,
    checkpointing: Annotated[
        bool | None,
        typer.Option(
            "--checkpointing/--no-checkpointing", help="Compute activations twice to keep fewer."
        ),
    ] = None,
    lora: Annotated[
        int | None, typer.Option("--lora", min=1, help="Train adapters of this rank only.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell which ZeRO stage and offload fit a training, what each takes, and what to write."""
    from comd_platform.config.training import LoraConfig
    from comd_platform.errors import ComdError
    from comd_training.memory import Machine, NothingFits, choose, plan
    from comd_training.memory.settle import cards, memory_asked

    asked, student, processes, told_nodes = _settings(config, run)
    changed = {
        "max_length": sequence,
        "micro_batch_size": micro_batch,
        "precision": precision,
        "gradient_checkpointing": checkpointing,
        "lora": None if lora is None else LoraConfig(rank=lora),
    }
    asked = asked.model_copy(update={k: v for k, v in changed.items() if v is not None})
    shape = _shape(model or student, parameters, asked)
    here = cards()
    if gpu_memory is None and not here:
        raise ComdError(
            "there are no GPUs here to read the memory of",
            hint="Say what the training will have: --gpus 8 --gpu-memory 80.",
        )
    machine = Machine(
        gpus=gpus or processes or len(here) or 1,
        gpu_gib=gpu_memory or min(here),
        nodes=nodes or told_nodes,
        cpu_gib=cpu_memory,
        nvme=nvme or asked.nvme_path is not None,
    )
    wanted = memory_asked(asked, machine.ranks)
    planned = plan(shape, machine, wanted)
    if as_json:
        print_json({"model": shape_json(shape), "machine": machine, "options": planned.options,
                    "chosen": planned.chosen})  # fmt: skip
    else:
        _show(shape, machine, asked, planned)
    if planned.chosen is None:
        try:
            choose(shape, machine, wanted)
        except NothingFits as refused:
            raise ComdError(refused.message, hint=refused.hint) from refused


def shape_json(shape: ModelShape) -> dict[str, int]:
    """What is known of the model's size."""
    return {
        "parameters": shape.total,
        "trained": shape.trained,
        "largest_layer": shape.largest_layer,
        "layers": shape.transformer.layers,
        "hidden": shape.transformer.hidden,
        "vocabulary": shape.transformer.vocabulary,
    }


def _settings(
    config: Path | None, run: str | None
) -> tuple[Hyperparameters, str | None, int | None, int]:
    """Hyperparameters, the student's model, processes a node and nodes; defaults without either."""
    from comd_platform.config.load import load_config
    from comd_platform.config.run import TrainingConfig
    from comd_platform.errors import ComdError
    from comd_training.hosts import read_hostfile

    if config is not None and run is not None:
        raise ComdError("a config and --run both say what is trained", hint="Give one of them.")
    if config is not None:
        found = load_config(config)
    elif run is not None:
        from comd_platform.db.engine import transaction
        from comd_platform.runs import find_run, run_config
        from comd_workers.cli.connect import database

        with database() as (engine, _), transaction(engine) as session:
            found = run_config(find_run(session, run))
    else:
        return TrainingConfig(micro_batch_size=1, gradient_checkpointing=True), None, None, 1
    training = found.training
    student = found.engine("student").model
    if training.hostfile is None:
        return training, student, training.processes, 1
    hosts = read_hostfile(training.hostfile)
    return training, student, min(host.slots for host in hosts), len(hosts)


def _shape(model: str | None, parameters: str | None, asked: Hyperparameters) -> ModelShape:
    from comd_platform.errors import ComdError
    from comd_training.memory import guess_shape, parse_parameters
    from comd_training.memory.settle import shape_of, with_adapters

    if parameters is not None:
        return with_adapters(guess_shape(parse_parameters(parameters)), asked)
    if model is None:
        raise ComdError(
            "no model is named", hint="Give a config, --run, --model DIRECTORY or --parameters 7B."
        )
    if not Path(model).is_dir():
        raise ComdError(
            f"{model} is not a directory here, so its size cannot be read",
            hint="Give --model a downloaded copy, or --parameters 7B.",
        )
    return shape_of(model, asked)


def _show(shape: ModelShape, machine: Machine, asked: Hyperparameters, planned: Plan) -> None:
    split = asked.split(machine.ranks)
    typer.echo(
        f"{shape.total / 1e9:.2f}B parameters, {shape.trained / 1e9:.2f}B trained, in "
        f"{asked.precision}; {machine.nodes} x {machine.gpus} GPUs of {machine.gpu_gib:.0f} GiB; "
        f"{asked.max_length} tokens x {split.micro} dialogues, activations "
        f"{'computed twice' if asked.gradient_checkpointing else 'kept'}"
    )
    table(
        None,
        [
            "",
            "weights",
            "gradients",
            "optimizer",
            "activations",
            "buffers",
            "GPU",
            "CPU",
            "NVMe",
            "",
        ],
        [_row(option, planned.chosen) for option in planned.options],
    )
    typer.echo("GiB: of each GPU; CPU and NVMe of each node.")
    if planned.chosen is not None:
        typer.echo("\n" + snippet(planned.chosen, asked, machine))


def _row(option: Option, chosen: Option | None) -> list[str]:
    parts = (
        option.parameters,
        option.gradients,
        option.optimizer,
        option.activations,
        option.buffers,
        option.gpu,
        option.cpu,
        option.nvme,
    )
    verdict = "recommended" if option is chosen else option.why or "fits, slower"
    return [option.name, *(f"{part / _GIB:.1f}" for part in parts), verdict]


def snippet(option: Option, asked: Hyperparameters, machine: Machine) -> str:
    """The lines of a run config that ask for this option."""
    split = asked.split(machine.ranks)
    lines = [
        "training:",
        "  device: cuda",
        f"  processes: {machine.gpus}",
        f"  precision: {asked.precision}",
        f"  batch_size: {asked.batch_size}"
        f"            # {split.micro} x {machine.ranks} GPUs x {split.steps} steps"
        + (f", {split.idle} places idle" if split.idle else ""),
        f"  micro_batch_size: {split.micro}",
        f"  gradient_checkpointing: {str(asked.gradient_checkpointing).lower()}",
        f"  zero_stage: {option.stage}",
    ]
    if asked.lora is not None:
        lines.append(f"  lora: {{rank: {asked.lora.rank}, alpha: {asked.lora.alpha:g}}}")
    if machine.nodes > 1:
        lines.insert(3, "  hostfile: hosts            # a line a node: NAME slots=GPUS")
    moved = {
        "offload_optimizer": option.offload_optimizer,
        "offload_parameters": option.offload_parameters,
    }
    lines += [f"  {name}: {where}" for name, where in moved.items() if where != "none"]
    if option.nvme:
        lines.append(f"  nvme_path: {asked.nvme_path or '/path/on/the/fast/disk'}")
    return "\n".join(lines)
