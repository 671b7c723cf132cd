"""How large a model is: from its files' headers, or from a number of parameters. No torch here."""

from __future__ import annotations

import json
import math
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from comd_platform.errors import ComdError
from comd_training.memory.activations import Transformer

UNITS = {"k": 1e3, "m": 1e6, "b": 1e9}
USUAL_HEAD = 128
USUAL_VOCABULARY = 32_000
USUAL_VISION = 304_000_000
"""CLIP ViT-L, which LLaVA and its like keep frozen."""


class UnknownShape(ComdError):
    """A model whose size cannot be read here."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Parameters in all, of them trained, in the largest single module; the language model's shape.

    adapted: weights of the matrices that LoRA would stand beside, as (rows, columns).
    """

    total: int
    trained: int
    largest_layer: int
    transformer: Transformer
    adapted: tuple[tuple[int, int], ...] = ()

    def with_lora(self, rank: int) -> ModelShape:
        """The same model with adapters of this rank, which alone are trained."""
        added = sum(rank * (rows + columns) for rows, columns in self.adapted)
        return replace(self, total=self.total + added, trained=added)


def parse_parameters(text: str) -> int:
    """7B, 0.5b, 350M, 7000000000 as a number. Raises UnknownShape."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kKmMbB]?)\s*", text)
    if found is None or float(found[1]) <= 0:
        raise UnknownShape(
            f"{text!r} is no number of parameters", hint="Write 7B, 500M, or 7e9 out."
        )
    return round(float(found[1]) * UNITS.get(found[2].lower(), 1))


def guess_shape(parameters: int, frozen: int = USUAL_VISION) -> ModelShape:
    """A model of so many parameters, as Llama-like ones are built: layers = hidden / 128.

    12 x layers x hidden^2 parameters then give the width: 7B is 32 x 4096, 13B 40 x 5120. `frozen`
    of them, at most a tenth, are the vision tower's.
    """
    hidden = max(1, round((parameters * USUAL_HEAD / 12) ** (1 / 3) / USUAL_HEAD)) * USUAL_HEAD
    layers = max(1, hidden // USUAL_HEAD)
    matrices = [(hidden, hidden)] * 4 + [(hidden, round(8 / 3 * hidden))] * 3
    return ModelShape(
        total=parameters,
        trained=parameters - min(frozen, parameters // 10),
        largest_layer=min(parameters, max(USUAL_VOCABULARY * hidden, 3 * hidden * hidden)),
        transformer=Transformer(layers, hidden, USUAL_VOCABULARY),
        adapted=tuple(matrices * layers),
    )


def read_shape(
    model: Path, is_frozen: Callable[[str], bool], is_adapted: Callable[[str], bool]
) -> ModelShape:
    """From config.json and the headers of the safetensors files; no weight is read.

    Where there are no such files the model is built without memory (`tensors_on_meta`).
    is_frozen, is_adapted: by a parameter's name. Raises UnknownShape, naming what is missing.
    """
    config = _config(model)
    shapes = dict(_tensors(model)) or tensors_on_meta(model)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    modules: Counter[str] = Counter()
    for name, size in sizes.items():
        modules[name.rpartition(".")[0]] += size
    return ModelShape(
        total=sum(sizes.values()),
        trained=sum(size for name, size in sizes.items() if not is_frozen(name)),
        largest_layer=max(modules.values()),
        transformer=transformer_of(config, shapes),
        adapted=tuple(
            (shape[0], shape[1])
            for name, shape in shapes.items()
            if len(shape) == 2 and is_adapted(name)
        ),
    )


def transformer_of(config: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> Transformer:
    """The language model's measures: from its tensors, and its config.json where those do not tell.

    A config.json leaves out what is the family's default (LLaVA-1.5's does), so tensors come first.
    Raises UnknownShape.
    """
    text = config.get("text_config") or config.get("llm_config") or config
    words = [shape for name, shape in shapes.items() if name.endswith("embed_tokens.weight")]
    vocabulary, hidden = words[0] if words else (text.get("vocab_size"), text.get("hidden_size"))
    found = {
        int(match[1])
        for name, shape in shapes.items()
        if (match := re.search(r"layers\.(\d+)\.self_attn\.q_proj\.weight$", name))
        and shape[-1] == hidden
        and "vision" not in name
    }
    layers = max(found) + 1 if found else text.get("num_hidden_layers")
    if not (layers and hidden and vocabulary):
        raise UnknownShape(
            "neither config.json nor the tensors tell the language model's layers, width and words",
            hint="Give the number of parameters instead: --parameters 7B.",
        )
    return Transformer(int(layers), int(hidden), int(vocabulary))


def tensors_on_meta(model: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a model of which only config.json is there: built without memory.

    Needs torch and transformers. Raises UnknownShape where transformers does not know the model.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    try:
        with torch.device("meta"):
            made = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(model))
    except (OSError, ValueError, KeyError) as error:
        raise UnknownShape(
            f"transformers cannot build {model}: {error}",
            hint="Give the number of parameters instead: --parameters 7B.",
        ) from error
    return {name: tuple(each.shape) for name, each in made.named_parameters()}


def _config(model: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((model / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UnknownShape(
            f"{model} is no model directory: it has no config.json",
            hint="Give the number of parameters instead: --parameters 7B.",
        ) from error
    return told


def _tensors(model: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every stored tensor (safetensors: a length, a JSON header, the bytes)."""
    for path in sorted(model.glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        for name, told in header.items():
            if name != "__metadata__":
                yield name, tuple(told["shape"])
