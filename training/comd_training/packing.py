"""Packed rows: attention that keeps their dialogues apart, and the families for which that is right.

Flash attention 2 takes segments as they are. Everywhere else (a CPU, a V100) attention is computed
segment by segment with torch's SDPA, so it costs the sum of the squared lengths, without padding and
without a mask of T x T.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from comd_training.failures import ConfigurationError

ATTENTION = "comd_segments"

WRAPPERS = frozenset({"llava", "llava_next", "idefics3", "smolvlm"})
"""Vision-language families (`model_type`) whose language model sees positions and segments as given,
and no token before its turn: a test compares losses and gradients with padded batches."""

LANGUAGE = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Language models inside them: rotary positions, causal attention through transformers' interface."""


def why_not_packed(config: Any) -> str | None:
    """What keeps a model of this configuration from being trained on packed rows; None: nothing."""
    text = config.get_text_config()
    if config.model_type not in WRAPPERS:
        return f"packing is not known to be right for the family {config.model_type}"
    if text.model_type not in LANGUAGE:
        return f"packing is not known to be right for the language model {text.model_type}"
    kinds = set(getattr(text, "layer_types", None) or [])
    if kinds - {"full_attention"} or getattr(text, "sliding_window", None) is not None:
        return "its language model attends through a sliding window"
    return None


def attend_in_segments(model: Any) -> None:
    """Make the language model's attention keep segments apart; the vision tower's stays as it is."""
    from transformers import AttentionInterface

    text = model.config.get_text_config()
    if text._attn_implementation == "flash_attention_2":
        return
    # No mask goes with a name that transformers' masks do not know: segments say all there is.
    AttentionInterface.register(ATTENTION, segment_attention)
    text._attn_implementation = ATTENTION


def segment_attention(
    module: Any,  # noqa: ARG001 - transformers' interface
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001 - the same
    dropout: float = 0.0,
    scaling: float | None = None,
    *,
    segment_lengths: tuple[int, ...] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each segment. query: (1, H, T, D); key, value: (1, G, T, D), H a
    multiple of G; `segment_lengths` sum to T. Returns (1, T, H, D)."""
    if segment_lengths is None:
        raise ConfigurationError("a model that attends in segments was given a batch without any")
    grouped = query.shape[1] != key.shape[1]
    segments = zip(
        query.split(segment_lengths, dim=2),
        key.split(segment_lengths, dim=2),
        value.split(segment_lengths, dim=2),
        strict=True,
    )
    parts = [
        torch.nn.functional.scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, scale=scaling, is_causal=True, enable_gqa=grouped
        )
        for q, k, v in segments
    ]
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None
