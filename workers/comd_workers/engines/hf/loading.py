"""From a config to weights in memory."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from comd_platform.config.engines import HfConfig
from comd_workers.engines.base import EngineError


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in eval mode and its processor."""

    model: Any
    processor: Any


def load(config: HfConfig) -> Loaded:
    """Raises EngineError when weights or processor cannot be had, or the device is not there."""
    device = _device(config.device)
    source = {"revision": config.revision, "trust_remote_code": config.trust_remote_code}
    attention = {} if config.attention == "auto" else {"attn_implementation": config.attention}
    # Straight onto the card: 13B weights need not pass through this machine's memory whole.
    placement = {"device_map": {"": 0}} if device.type == "cuda" else {}
    if device.type == "cpu":
        _keep_freed_memory()
    transformers.utils.logging.disable_progress_bar()
    try:
        processor = transformers.AutoProcessor.from_pretrained(config.model, **source)
        model = transformers.AutoModelForImageTextToText.from_pretrained(
            config.model,
            dtype=_dtype(config.dtype, device),
            use_safetensors=True,  # the other kind of weights is a pickle
            **source,
            **attention,
            **placement,
        )
    except torch.OutOfMemoryError as error:
        raise EngineError(f"{config.model} does not fit the device's memory: {error}") from error
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise EngineError(f"cannot load {config.model}: {error}") from error
    return Loaded(model.eval(), processor)


def longest(model: Any) -> int | None:
    """Positions that the language model knows; None where it does not say."""
    known: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return known


def stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends an answer, by the model's generation config or its tokenizer."""
    listed = model.generation_config.eos_token_id
    ids = listed if isinstance(listed, list) else [listed]
    return frozenset(i for i in [*ids, tokenizer.eos_token_id] if i is not None)


def _keep_freed_memory() -> None:
    """Tell glibc to keep what it frees for the next forward pass.

    By default it gives large blocks back to the system, and every pass pays for their pages again:
    a fifth of the time of a small model on a CPU (docs/engines.md), for no difference in the peak.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    for parameter, size in ((-3, 32 * 2**20), (-1, 2**31 - 1), (-2, 64 * 2**20)):
        mallopt(parameter, size)  # M_MMAP_THRESHOLD (its maximum), M_TRIM_THRESHOLD, M_TOP_PAD


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise EngineError("device is cuda, but torch sees no card here")
    return torch.device(wanted)


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, wanted)
    return dtype
