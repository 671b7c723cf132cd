"""`comd config check`: everything in a config that can be resolved without a GPU or a download."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from comd_platform.config.engines import EngineConfig, HfConfig, OpenAIConfig, VllmConfig
from comd_platform.config.load import load_config, read_document
from comd_platform.config.run import Role, RunConfig, TrainingConfig
from comd_platform.config.stage1 import Stage1Config, load_stage1
from comd_platform.config.training import Hyperparameters
from comd_platform.errors import ComdError
from comd_platform.method.prompts import load_prompt
from comd_training.failures import ConfigurationError
from comd_training.hosts import read_hostfile
from comd_workers.checks.finding import Finding, error, note, ok
from comd_workers.checks.white_box import white_box_findings

ROLES: tuple[Role, ...] = get_args(Role)
CHECKPOINT = "checkpoint"
"""What a training calls the model directory that it leaves in its output."""


def check_config(path: Path) -> list[Finding]:
    """What is to be said of a run config or a stage 1 config; never raises for what is in it."""
    try:
        if "stage" in read_document(path):
            return [*_stage1(load_stage1(path))]
        config = load_config(path)
    except ComdError as refused:
        return [error("config", str(refused), refused.hint)]
    return [*_run(config)]


def _run(config: RunConfig) -> Iterator[Finding]:
    yield ok("config", f"run {config.name}, {config.iterations} iterations, pool {config.pool}")
    for role in ROLES:
        yield from _prompt(config, role)
        if config.role(role).model is not None:
            yield from model_findings(f"{role}.model", config.engine(role))
    if config.bootstrap is not None:
        yield from _bootstrap(config)
    training = config.training
    try:
        ranks = _ranks(training)
    except ConfigurationError as refused:
        yield error("training.hostfile", str(refused))
    else:
        yield from _training("training", training, ranks, training.device)
    yield from white_box_findings(config)
    yield _pool(config)


def _ranks(training: TrainingConfig) -> int:
    """Processes in all. Raises ConfigurationError for a hostfile that is none."""
    if training.hostfile is None:
        return training.processes
    return sum(host.slots for host in read_hostfile(training.hostfile))


def _stage1(config: Stage1Config) -> Iterator[Finding]:
    rule = config.filter
    yield ok("config", f"stage 1: minimum {rule.minimum}, cap {rule.cap}, by {rule.extractor}")
    if config.model is None:
        yield note("model", "none named", "comd pretrain train --model names it.")
    else:
        yield from model_findings("model", HfConfig(model=config.model, revision=config.revision))
    yield from _training("training", config.training, config.processes, config.device)


def _prompt(config: RunConfig, role: Role) -> Iterator[Finding]:
    file = config.role(role).prompt
    try:
        prompt = load_prompt(role, file)
    except ComdError as refused:
        yield error(f"{role}.prompt", str(refused), refused.hint)
    else:
        if file is not None:
            yield ok(f"{role}.prompt", f"{file}, {prompt.hash[:12]}")


def _bootstrap(config: RunConfig) -> Iterator[Finding]:
    assert config.bootstrap is not None  # asked before
    try:
        load_prompt("augmentor", config.bootstrap.prompt, shipped="bootstrap")
    except ComdError as refused:
        yield error("bootstrap.prompt", str(refused), refused.hint)
    kinds = ", ".join(f"{each.count} {each.task_type}" for each in config.bootstrap.requests)
    yield ok("bootstrap", f"asks for {kinds} about every picture")


def model_findings(what: str, config: EngineConfig) -> Iterator[Finding]:
    """Where a role's weights are, and whether their files say what they are."""
    match config:
        case OpenAIConfig():
            yield ok(what, f"{config.model} at {config.base_url} (not asked; comd doctor does)")
            if config.api_key_env and not os.environ.get(config.api_key_env):
                yield note(
                    f"{what}.api_key_env",
                    f"{config.api_key_env} is not set here",
                    "Set it where the workers run; api_key_env: null for a server without a key.",
                )
        case VllmConfig():
            yield from _weights(what, config.model)
            if shutil.which(config.command[0]) is None:
                yield note(f"{what}.command", f"{config.command[0]} is not on this machine's path")
        case HfConfig():
            yield from _weights(what, config.model)
        case _:
            yield ok(what, f"scripted {config.model}")


def _weights(what: str, model: str) -> Iterator[Finding]:
    path = Path(model)
    if not path.is_absolute() and not path.exists():
        yield note(what, f"{model} is a hub id: downloaded when first used, unless it is cached")
    elif path.name == CHECKPOINT and not path.exists():
        yield note(
            what,
            f"{model} is not there yet, and the run cannot tune before it is",
            "A training makes it: comd pretrain train … --out " + path.parent.name,
        )
    elif not (path / "config.json").is_file():
        yield error(
            what,
            f"{model} is no model directory: it has no config.json",
            "A hub id is written owner/name; a path in a config counts from the config's folder.",
        )
    elif not any(path.glob("*.safetensors")):
        yield error(what, f"{model} holds no .safetensors weights")
    else:
        yield ok(what, model)


def _training(what: str, asked: Hyperparameters, processes: int, device: str) -> Iterator[Finding]:
    try:
        split = asked.split(processes)
    except ValueError as refused:
        yield error(what, str(refused), f"Change {what}.micro_batch_size or processes.")
    else:
        yield ok(
            what,
            f"batch {asked.batch_size}: {split.micro} dialogues x {processes} processes x "
            f"{split.steps} steps, learning rate {asked.learning_rate:g}, ZeRO-{asked.zero_stage}",
        )
        if split.idle:
            yield note(
                what,
                f"{split.idle} of {asked.batch_size + split.idle} places of each step stay idle, since "
                f"{asked.batch_size} dialogues do not divide over {processes} processes",
                f"batch_size {asked.batch_size + split.idle} would use them all; the paper's is 16.",
            )
    if find_spec("torch") is None:
        yield note(
            f"{what}.chat_template", "not looked up without torch", "pip install 'comd[train]'"
        )
    else:
        yield from _resolved_by_torch(what, asked)
    if device == "cuda" and shutil.which("nvidia-smi") is None:
        yield note(f"{what}.device", "cuda is asked for, and this machine has none")


def _resolved_by_torch(what: str, asked: Hyperparameters) -> Iterator[Finding]:
    from comd_training.student import chat_template

    try:
        if asked.chat_template is not None:
            chat_template(asked.chat_template)
    except ConfigurationError as refused:
        yield error(what, str(refused))


def _pool(config: RunConfig) -> Finding:
    how = (
        f"comd import images-folder DIR --pool {config.pool}"
        if config.bootstrap is not None
        else f"comd import llava FILE --images DIR --pool {config.pool}"
    )
    return note("pool", f"{config.pool} is looked up when the run is made", how)
