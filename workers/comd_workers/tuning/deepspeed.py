"""Tuning for a transformers student: a supervised DeepSpeed process, whatever engine speaks for it."""

from __future__ import annotations

from comd_platform.config.engines import HfConfig, VllmConfig
from comd_training.spec import TrainingSpec, training_device
from comd_training.supervise import run_training
from comd_workers.tuning.order import Listener, Order, Result


def tune(order: Order, listener: Listener) -> Result:
    """Run the training to its end, or on from where it was saved. Raises TrainingFailed.

    A checkpoint that stands complete from an earlier attempt is taken as it is.
    """
    assert isinstance(order.engine, HfConfig | VllmConfig)
    spec = TrainingSpec(
        examples=order.examples,
        image_root=order.image_root,
        model=order.base,
        revision=order.revision,
        output=order.output,
        seed=order.seed,
        device=training_device(order.config.device),
        processes=order.config.processes,
        threads=order.config.threads,
        save_every_seconds=order.config.save_every_seconds,
        save_every_steps=order.config.save_every_steps,
        hang_seconds=order.config.hang_seconds,
        hyperparameters=order.config.hyperparameters(),
        trust_remote_code=order.engine.trust_remote_code,
    )
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
