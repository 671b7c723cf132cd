"""DeepSpeed as comd uses it: its configuration, and a start that needs neither MPI nor a compiler.

Without rank variables DeepSpeed asks for mpi4py. On its first use of a process group on a CPU it
compiles a shared-memory operation (a minute, and a C++ compiler), after probing compilers for every
operation it knows. Its own Adam is compiled too. None of this is needed: one host's ranks talk
through gloo or NCCL and the optimizer is torch's AdamW, unless the optimizer's states are offloaded.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from comd_training.memory.buffers import (
    GATHER_BUCKET,
    LIVE_PARAMETERS,
    PREFETCH,
    REDUCE_BUCKET,
)
from comd_training.spec import TrainingSpec


def set_rank_variables() -> tuple[int, int]:
    """(rank, world size) from the environment; a lone process becomes rank 0 of 1.

    Must run before deepspeed or accelerate is imported.
    """
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    for name, value in alone.items():
        os.environ.setdefault(name, value)
    # Port 0: the store of a lone rank listens wherever there is room.
    os.environ.setdefault("MASTER_PORT", "0")
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def choose_accelerator(device: str) -> None:
    """Tell DeepSpeed what to run on instead of letting it look; before its first import."""
    os.environ["DS_ACCELERATOR"] = device


def without_compiled_operations() -> None:
    """No probing for compilers, no shared-memory communication to compile (CPU only)."""
    operations = importlib.import_module("deepspeed.ops")
    known = importlib.import_module("deepspeed.ops.op_builder.all_ops").ALL_OPS
    # Assigned before its first access, this keeps DeepSpeed from probing (a module __getattr__).
    operations.__dict__["__compatible_ops__"] = dict.fromkeys(
        [*known, "deepspeed_not_implemented"], False
    )


def without_compiler() -> None:
    """torch.compile does nothing in this process; before the first import of torch.

    Nothing here uses it, but DeepSpeed decorates functions of an optimizer that it imports on its
    way, and that alone would load all of Inductor: more than a second of every start.
    """
    os.environ["TORCHDYNAMO_DISABLE"] = "1"


def join_ranks(device: str) -> None:
    """DeepSpeed's process group over torch's (which it makes where there is none yet).

    transformers leaves this to DeepSpeed's engine; under ZeRO-3 the model comes before that, and
    would be built as if there were one rank.
    """
    communication = importlib.import_module("deepspeed.comm")
    communication.init_distributed(
        dist_backend="nccl" if device == "cuda" else "gloo",
        auto_mpi_discovery=False,
        verbose=False,
    )


def with_plain_checkpoints() -> None:
    """DeepSpeed reads and writes its state through `plain.py` instead of pickles.

    The files keep the names that it gives them (`….pt`); inside they are safetensors.
    """
    engine: Any = importlib.import_module("deepspeed.runtime.engine")
    base = importlib.import_module("deepspeed.runtime.checkpoint_engine.checkpoint_engine")
    plain = importlib.import_module("comd_training.plain")

    class PlainCheckpoints(base.CheckpointEngine):  # type: ignore[misc, name-defined]
        def create(self, info: Any) -> None:
            pass

        def save(self, state_dict: Any, path: str) -> None:
            plain.write_plain(state_dict, Path(path))

        def load(self, path: str, map_location: Any = None) -> Any:  # noqa: ARG002 - the CPU
            return plain.read_plain(Path(path))

        def commit(self, info: Any) -> bool:  # noqa: ARG002 - renamed into place by the trainer
            return True

    engine.create_checkpoint_engine = lambda **_: PlainCheckpoints()


def deepspeed_config(spec: TrainingSpec) -> dict[str, Any]:
    """The whole DeepSpeed configuration; the optimizer and the schedule are the Trainer's."""
    asked = spec.hyperparameters
    split = asked.split(spec.ranks)
    return {
        "train_batch_size": split.micro * split.steps * spec.ranks,  # idle places included
        "train_micro_batch_size_per_gpu": split.micro,
        "gradient_accumulation_steps": split.steps,
        "gradient_clipping": asked.max_grad_norm,
        "zero_optimization": _zero(spec),
        "zero_allow_untested_optimizer": True,
        # With offload, torch's AdamW on the CPU is slow, and allowed to whoever asks for it by name.
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": asked.precision == "bf16"},
        "fp16": {"enabled": asked.precision == "fp16"},
        "steps_per_print": 2**31,
        "wall_clock_breakdown": False,
    }


def _zero(spec: TrainingSpec) -> dict[str, Any]:
    """The stage and where its parts live; buffers as `comd plan-memory` counts them."""
    asked = spec.hyperparameters
    zero: dict[str, Any] = {
        "stage": asked.zero_stage,
        "contiguous_gradients": True,
        "overlap_comm": spec.device == "cuda",
        "reduce_bucket_size": REDUCE_BUCKET,
        "allgather_bucket_size": GATHER_BUCKET,
    }
    if asked.offload_optimizer != "none":
        zero["offload_optimizer"] = _offload(spec, asked.offload_optimizer)
    if asked.offload_parameters != "none":
        zero["offload_param"] = _offload(spec, asked.offload_parameters)
    if asked.zero_stage == 3:
        zero |= {
            "stage3_gather_16bit_weights_on_model_save": True,
            "stage3_max_live_parameters": LIVE_PARAMETERS,
            "stage3_prefetch_bucket_size": PREFETCH,
        }
    return zero


def _offload(spec: TrainingSpec, where: str) -> dict[str, Any]:
    told: dict[str, Any] = {"device": where, "pin_memory": spec.device == "cuda"}
    if where == "nvme":
        told["nvme_path"] = str(spec.hyperparameters.nvme_path)
    return told
