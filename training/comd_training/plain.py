"""Nested state of a training as one safetensors file: tensors as tensors, the rest as JSON beside them.

DeepSpeed and the Trainer would pickle it. Reading a pickle runs what it says, so there is none here:
what is neither a tensor nor plain is one of a few classes named below, rebuilt from its fields.
"""

from __future__ import annotations

import importlib
import json
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from comd_training.files import sync_file

_STRUCTURE = "structure"

KNOWN = {
    "deepspeed.runtime.fp16.loss_scaler.LossScaler",
    "deepspeed.runtime.fp16.loss_scaler.DynamicLossScaler",
    "deepspeed.utils.tensor_fragment.fragment_address",
    "deepspeed.runtime.zero.config.ZeroStageEnum",
    "deepspeed.runtime.zero.partition_parameters.ZeroParamType",
}
"""Classes of DeepSpeed's whose instances its state holds: enums, and objects of plain fields."""


class NotPlain(Exception):
    """A value that this format has no form for, or a file that holds one that it must not build."""


def write_plain(value: Any, path: Path) -> None:
    """Write `value` to `path`, to the disk. Raises NotPlain, OSError, SafetensorError."""
    tensors: dict[str, torch.Tensor] = {}
    structure = json.dumps(_to_json(value, tensors), separators=(",", ":"))
    save_file(_apart(tensors), path, metadata={_STRUCTURE: structure})
    sync_file(path)


def read_plain(path: Path) -> Any:
    """What `write_plain` wrote, tensors on the CPU. Raises NotPlain."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if _STRUCTURE not in metadata:
            raise NotPlain(f"{path} is not a training state of ours")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return _from_json(json.loads(metadata[_STRUCTURE]), tensors)


def _apart(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """On the CPU, contiguous, no two in one storage (tied weights, views of a flat buffer)."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        if plain.untyped_storage().data_ptr() in seen:
            plain = plain.clone()
        seen.add(plain.untyped_storage().data_ptr())
        apart[name] = plain
    return apart


def _to_json(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Scalars as they are, everything else as [tag, content]."""
    if value is None or isinstance(value, str) or type(value) in (bool, int, float):
        return value
    if isinstance(value, torch.Tensor):
        name = f"t{len(tensors)}"
        tensors[name] = value
        return ["tensor", name]
    if isinstance(value, dict):
        return ["dict", [[_to_json(k, tensors), _to_json(v, tensors)] for k, v in value.items()]]
    if isinstance(value, list | tuple | set):
        tag = "size" if isinstance(value, torch.Size) else type(value).__mro__[-2].__name__
        return [tag, [_to_json(each, tensors) for each in value]]
    if isinstance(value, torch.dtype):
        return ["dtype", str(value).removeprefix("torch.")]
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if name not in KNOWN:
        raise NotPlain(f"a {name} cannot be saved")
    if isinstance(value, Enum):
        return ["enum", [name, value.name]]
    return ["object", [name, _to_json(dict(vars(value)), tensors)]]


def _from_json(told: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(told, list):
        return told
    tag, content = told
    if tag == "tensor":
        return tensors[content]
    if tag == "dict":
        return {_from_json(k, tensors): _from_json(v, tensors) for k, v in content}
    if tag in _COLLECTIONS:
        return _COLLECTIONS[tag](_from_json(each, tensors) for each in content)
    if tag == "dtype":
        return getattr(torch, content)
    name, fields = content
    if name not in KNOWN:
        raise NotPlain(f"the file asks for a {name}")
    module, _, qualified = name.rpartition(".")
    known = getattr(importlib.import_module(module), qualified)
    if tag == "enum":
        return known[fields]
    made = known.__new__(known)
    made.__dict__.update(_from_json(fields, tensors))
    return made


_COLLECTIONS: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "size": lambda parts: torch.Size(list(parts)),
}
