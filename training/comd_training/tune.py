"""The training process: `python -m comd_training.tune SPEC.json`, once per rank.

Reads the spec, tunes the model with transformers' Trainer on DeepSpeed ZeRO and leaves in
`spec.output`: metrics.jsonl (a line a step), checkpoint/ (complete or not there) and result.json;
or failure.json and a nonzero exit. It never opens the database.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comd_platform.faults import fault_point
from comd_training.failures import Failure, StoppedError, name_failure
from comd_training.orphan import die_with_supervisor, die_without_sign
from comd_training.pulse import Pulse
from comd_training.resume import SUPERVISED, aside, drop_all, find_standing
from comd_training.spec import TrainingSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from comd_training.results import TrainingResult
    from comd_training.trainer import StudentTrainer

FAILED = 3


def main(arguments: list[str] | None = None) -> int:
    """0 when the checkpoint stands, 3 when failure.json says why it does not."""
    started = time.time()
    die_with_supervisor()
    (path,) = sys.argv[1:] if arguments is None else arguments
    spec = TrainingSpec.model_validate_json(Path(path).read_text(encoding="utf-8"))
    if spec.hosts:
        die_without_sign(spec.output / SUPERVISED)
    try:
        tune(spec, started)
    except StoppedError as error:
        _tell(spec, name_failure(error))
        return FAILED
    except Exception as error:  # whatever it is, it must end as a named failure
        traceback.print_exc()
        failure = name_failure(error)
        if failure.kind == "disk_full":
            _make_room(spec)  # for failure.json, too
        _tell(spec, failure)
        return FAILED
    return 0


def tune(spec: TrainingSpec, started: float) -> None:
    """Tune on this rank. Raises what `failures.name_failure` knows how to name."""
    from comd_training.deepspeed_setup import (
        choose_accelerator,
        join_ranks,
        set_rank_variables,
        with_plain_checkpoints,
        without_compiled_operations,
        without_compiler,
    )

    rank, _ = set_rank_variables()
    pulse = Pulse(spec.output, rank)
    pulse(0, "starting")
    fault_point("training.started")
    choose_accelerator(spec.device)
    without_compiler()

    import torch

    torch.set_num_threads(spec.threads_per_rank())
    if spec.device == "cpu":
        without_compiled_operations()
    with_plain_checkpoints()

    from comd_training.student import load_processor, load_student, resolve_model
    from comd_training.teaching import load_teacher

    source = resolve_model(spec.model, spec.revision)
    processor = load_processor(spec, source)
    # Before the arguments, which make ZeRO-3 cut whatever is loaded after them into shards.
    teacher = load_teacher(spec) if spec.hyperparameters.objective.needs_teacher else None
    arguments = _arguments(spec)
    join_ranks(spec.device)  # before the model, which ZeRO-3 builds in shards
    model = load_student(spec, source)
    pulse(0, "preparing")
    trainer = _trainer(spec, arguments, model, processor, teacher, pulse, started)
    found = find_standing(spec)
    if found is None:
        trainer.train()
    else:
        trainer.resume(*found)
    if trainer.stopped:
        raise StoppedError(f"stopped as asked after step {trainer.state.global_step}, and saved")
    result = _save(spec, source, trainer)
    if rank == 0 and result is not None:
        result.write(spec.output / "result.json")
        drop_all(spec)
        if spec.token_cache is None:
            shutil.rmtree(spec.token_root, ignore_errors=True)


def _arguments(spec: TrainingSpec) -> Any:
    from transformers import TrainingArguments

    from comd_training.deepspeed_setup import deepspeed_config
    from comd_training.optimizers import trainers_optimizer

    asked = spec.hyperparameters
    split = asked.split(spec.ranks)
    schedule = {"constant": "constant_with_warmup"}.get(asked.lr_scheduler, asked.lr_scheduler)
    return TrainingArguments(
        output_dir=str(spec.output),
        num_train_epochs=1,  # the order of examples holds all passes
        per_device_train_batch_size=split.micro,
        gradient_accumulation_steps=split.steps,
        learning_rate=asked.learning_rate,
        lr_scheduler_type=schedule,
        warmup_steps=asked.warmup_ratio,  # below 1 it is a share of the steps
        weight_decay=asked.weight_decay,
        max_grad_norm=asked.max_grad_norm,
        optim=trainers_optimizer(spec),
        bf16=asked.precision == "bf16",
        fp16=asked.precision == "fp16",
        deepspeed=deepspeed_config(spec),
        use_cpu=spec.device == "cpu",
        seed=spec.seed % 2**32,  # numpy's generator takes no more
        save_strategy="no",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=spec.device == "cuda",
        log_level="warning",
    )


def _trainer(
    spec: TrainingSpec,
    arguments: Any,
    model: PreTrainedModel,
    processor: Any,
    teacher: tuple[PreTrainedModel, Any] | None,
    pulse: Pulse,
    started: float,
) -> StudentTrainer:
    from comd_training.collate import Dialogues
    from comd_training.metrics import MetricWriter
    from comd_training.objectives import Pair, make_objective
    from comd_training.optimizers import deepspeeds_optimizer
    from comd_training.order import SeededOrder
    from comd_training.reading import read
    from comd_training.teaching import taught
    from comd_training.trainer import StudentTrainer

    asked = spec.hyperparameters
    dialogues, collator, arrange = read(spec, model, processor, lambda: pulse(0, "tokenising"))
    tokens, taught_collator = taught(spec, model, dialogues, collator, teacher)
    writer = MetricWriter(spec.output / "metrics.jsonl")
    return StudentTrainer(
        objective=make_objective(
            asked.objective, Pair(model, teacher and teacher[0], tokens, spec.seed)
        ),
        order=SeededOrder(
            len(dialogues),
            asked.batch_size,
            asked.epochs,
            asked.max_steps,
            spec.seed,
            idle=asked.split(spec.ranks).idle,
            arrange=arrange,
        ),
        optimizer_cls_and_kwargs=deepspeeds_optimizer(spec),
        report=writer.write,
        pulse=pulse,
        spec=spec,
        started=started,
        model=model,
        args=arguments,
        data_collator=taught_collator,
        train_dataset=Dialogues(dialogues),
        processing_class=processor,
    )


def _save(spec: TrainingSpec, source: Path, trainer: StudentTrainer) -> TrainingResult | None:
    """Write the checkpoint, on all ranks (ZeRO-3 gathers); the result, on rank 0 only."""
    from comd_training.checkpoint import fresh_directory, has_safetensors, keep_frozen, publish
    from comd_training.lora import ADAPTER, merge, untouched
    from comd_training.results import RESULT_IN_CHECKPOINT, TrainingResult, weights_sha256

    main_rank = trainer.is_world_process_zero()
    unfinished = spec.output / ".checkpoint.tmp"
    if main_rank:
        fresh_directory(unfinished)
    trainer.accelerator.wait_for_everyone()
    lora = spec.hyperparameters.lora
    saved = unfinished if lora is None else unfinished / ADAPTER
    trainer.save_model(str(saved))
    if not main_rank:
        return None
    # The Trainer's own arguments: a pickle full of paths of this machine.
    (saved / "training_args.bin").unlink(missing_ok=True)
    is_frozen: Callable[[str], bool] = spec.hyperparameters.frozen
    if lora is not None:
        merge(source, saved, unfinished, trust_remote_code=spec.trust_remote_code)
        trainer.processing_class.save_pretrained(unfinished)
        is_frozen = untouched(spec.hyperparameters, saved)
    frozen = 0
    if has_safetensors(source):
        frozen = keep_frozen(unfinished, source, is_frozen)
    result = TrainingResult(
        checkpoint=spec.checkpoint,
        steps=trainer.state.global_step,
        dialogues=trainer.order.learned,
        train_loss=trainer.loss_sum / trainer.state.global_step,
        tokens=trainer.tokens,
        loss_tokens=trainer.loss_tokens,
        seconds=time.time() - trainer.started,
        weights_sha256=weights_sha256(unfinished),
        frozen_tensors=frozen,
        fingerprint=spec.fingerprint(),
    )
    result.write(unfinished / RESULT_IN_CHECKPOINT)
    fault_point("training.publishing")
    publish(unfinished, spec.checkpoint)
    fault_point("training.published")
    return result


def _make_room(spec: TrainingSpec) -> None:
    """Take away what was being written; what stood complete before stays."""
    for directory in (spec.output / ".checkpoint.tmp", aside(spec)):
        shutil.rmtree(directory, ignore_errors=True)


def _tell(spec: TrainingSpec, failure: Failure) -> None:
    """The first rank to fail says why; the others fail because it did."""
    path = spec.output / "failure.json"
    ours = path.with_name(f".failure.{os.getpid()}.json")
    try:
        failure.write(ours)
        os.link(ours, path)
    except FileExistsError:
        sys.stderr.write(f"another rank failed first; this one: {failure.message}\n")
    except OSError as error:  # no room even for this: the log has to do
        sys.stderr.write(f"{failure.kind}: {failure.message}\n{error}\n")
    finally:
        ours.unlink(missing_ok=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: process groups, hooks and threads of torch take seconds to be taken down, can
    # hang where another rank is gone, and there is nothing left for them to do.
    os._exit(code)
