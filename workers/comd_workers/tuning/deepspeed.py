"""Tuning for a transformers student: a supervised DeepSpeed process, whatever engine speaks for it."""

from __future__ import annotations

from comd_platform.config.engines import HfConfig, VllmConfig
from comd_training.failures import ConfigurationError, TrainingFailed, name_failure
from comd_training.hosts import read_hostfile
from comd_training.memory.settle import settle
from comd_training.spec import TeacherSpec, TrainingSpec, training_device
from comd_training.supervise import run_training
from comd_workers.tuning.order import Listener, Order, Result


def tune(order: Order, listener: Listener) -> Result:
    """Run the training to its end, or on from where it was saved. Raises TrainingFailed.

    A checkpoint that stands complete from an earlier attempt is taken as it is.
    """
    try:
        spec = training_spec(order)
    except ConfigurationError as error:
        raise TrainingFailed(name_failure(error)) from error
    result = run_training(
        spec,
        on_metric=listener.on_metric,
        on_alive=listener.on_alive,
        on_saved=listener.on_saved,
        timeout_s=order.config.timeout_seconds,
        stop=listener.stop,
        owner=order.owner,
    )
    return Result(result.checkpoint, result.steps, result.weights_sha256)


def training_spec(order: Order) -> TrainingSpec:
    """What the order means on this machine: its device, the hosts of its hostfile, a settled stage.

    Raises ConfigurationError.
    """
    assert isinstance(order.engine, HfConfig | VllmConfig)
    config = order.config
    device = training_device(config.device)
    teacher = _teacher(order)
    hosts = () if config.hostfile is None else read_hostfile(config.hostfile)
    return TrainingSpec(
        examples=order.examples,
        image_root=order.image_root,
        model=order.base,
        revision=order.revision,
        output=order.output,
        token_cache=order.output.parent / "tokens",
        seed=order.seed,
        device=device,
        processes=config.processes,
        hosts=hosts,
        launcher=config.launcher,
        master_port=config.master_port,
        threads=config.threads,
        save_every_seconds=config.save_every_seconds,
        save_every_steps=config.save_every_steps,
        hang_seconds=config.hang_seconds,
        hyperparameters=settle(
            config.hyperparameters(),
            order.base,
            order.revision,
            device,
            min((host.slots for host in hosts), default=config.processes),
            nodes=max(1, len(hosts)),
            teacher=teacher,
        ),
        trust_remote_code=order.engine.trust_remote_code,
        teacher=teacher,
        teacher_logits=order.teacher_logits,
    )


def _teacher(order: Order) -> TeacherSpec | None:
    """The teacher's weights, where the objective runs it in the step."""
    if not order.config.objective.needs_teacher:
        return None
    assert isinstance(order.teacher, HfConfig | VllmConfig)  # the run config sees to it
    return TeacherSpec(
        model=order.teacher.model,
        revision=order.teacher.revision,
        dtype=order.teacher.dtype,
        trust_remote_code=order.teacher.trust_remote_code,
    )
