"""The tuned weights on disk: complete or not there, and the frozen part bit for bit as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from comd_training.files import sync_directory, sync_file

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


class FrozenWeightsChanged(Exception):
    """A weight that was to stay as it is did not: a bug, never a matter of data."""


def keep_frozen(saved: Path, source: Path, is_frozen: Callable[[str], bool]) -> int:
    """Make the frozen tensors in `saved` bit-identical to those in `source`; return their number.

    `is_frozen` is asked by a tensor's name. Where training ran in another precision than the source
    is stored in, the source's tensor is put back (rounding a vision tower once more in each iteration
    would move it). In the same precision it must be equal already. A model with tied weights may be
    saved with the tied one (lm_head) written out: it must equal the one it is tied to.
    Raises FrozenWeightsChanged where a tensor is not equal, or the source has none for it.
    """
    origin = _files_of_tensors(source)
    kept = 0
    for path in sorted(saved.glob("*.safetensors")):
        with safe_open(path, framework="pt") as tensors:
            frozen = [name for name in tensors.keys() if is_frozen(name)]  # noqa: SIM118
            restore: dict[str, torch.Tensor] = {}
            for name in frozen:
                after = tensors.get_tensor(name)
                known = name in origin
                before = _read(origin, name) if known else _tied_to(source, origin, name, after)
                if before.dtype != after.dtype:
                    restore[name] = before
                elif not _same_bits(before, after):
                    raise FrozenWeightsChanged(f"{name} changed although it is frozen")
        if restore:
            save_file(load_file(path) | restore, path, metadata={"format": "pt"})
        kept += len(frozen)
    return kept


def has_safetensors(model: Path) -> bool:
    """Whether frozen tensors can be compared with this model directory."""
    return (model / INDEX).exists() or (model / SINGLE).exists()


def publish(aside: Path, checkpoint: Path) -> None:
    """Rename a finished directory into place, after every byte of it has reached the disk."""
    for path in sorted(aside.rglob("*")):
        if path.is_dir():
            sync_directory(path)
        else:
            sync_file(path)
    sync_directory(aside)
    aside.rename(checkpoint)
    sync_directory(checkpoint.parent)


def fresh_directory(path: Path) -> Path:
    """An empty directory; what an earlier, interrupted attempt left there is removed."""
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def _files_of_tensors(model: Path) -> dict[str, Path]:
    index = model / INDEX
    if index.exists():
        mapping = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return {name: model / file for name, file in mapping.items()}
    with safe_open(model / SINGLE, framework="pt") as tensors:
        return dict.fromkeys(tensors.keys(), model / SINGLE)


def _read(origin: dict[str, Path], name: str) -> torch.Tensor:
    with safe_open(origin[name], framework="pt") as tensors:
        return tensors.get_tensor(name)


def _tied_to(source: Path, origin: dict[str, Path], name: str, saved: torch.Tensor) -> torch.Tensor:
    """The source's tensor that a saved one without a name there repeats."""
    for file in sorted(set(origin.values())):
        with safe_open(file, framework="pt") as tensors:
            for known in tensors.keys():  # noqa: SIM118
                if tensors.get_slice(known).get_shape() != list(saved.shape):
                    continue
                before: torch.Tensor = tensors.get_tensor(known)
                if _same_bits(before.to(saved.dtype), saved):
                    return before
    raise FrozenWeightsChanged(
        f"{name} is frozen, but {source} has no such tensor, nor one that it repeats"
    )


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape:
        return False
    # Compared as bytes: NaN equals itself here, and -0.0 does not equal 0.0.
    one, other = (t.contiguous().view(-1).view(torch.uint8) for t in (one, other))
    return bool(torch.equal(one, other))
