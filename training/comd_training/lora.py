"""Adapters beside the language model's linear layers (LoRA), through peft; merged when saved.

Why merged: hf, vLLM and any other server open the checkpoint as they open any, evaluations and the
next iteration start from plain weights, and no chain of adapters grows. The rounding is once per
iteration, in the precision that the weights are stored in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from comd_platform.config.training import Hyperparameters, LoraConfig
from comd_training.failures import ConfigurationError
from comd_training.spec import TrainingSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER = "adapter"
"""The adapter's directory inside a checkpoint."""


def adapted(model: PreTrainedModel, spec: TrainingSpec, asked: LoraConfig) -> PreTrainedModel:
    """The model with adapters, which alone have gradients.

    Raises ConfigurationError where peft is missing, or `targets` name no linear layer.
    """
    peft = _peft()
    config = peft.LoraConfig(
        r=asked.rank,
        lora_alpha=asked.alpha,
        lora_dropout=asked.dropout,
        target_modules=linear_layers(model, asked.targets),
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(spec.seed)  # the adapters' first values, on every rank alike
    made: PreTrainedModel = peft.get_peft_model(model, config, autocast_adapter_dtype=False)
    if spec.hyperparameters.gradient_checkpointing:
        made.enable_input_require_grads()  # nothing before the adapters asks for gradients
    return made


def linear_layers(model: PreTrainedModel, targets: tuple[str, ...]) -> list[str]:
    """Full names of the language model's linear layers, those called as in `targets` if given.

    Raises ConfigurationError naming the targets that fit none, and what there is.
    """
    decoder = model.get_decoder()
    prefix = next(name for name, module in model.named_modules() if module is decoder)
    found = [
        f"{prefix}.{name}"
        for name, module in decoder.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    kinds = {name.rpartition(".")[2] for name in found}
    unknown = set(targets) - kinds
    if unknown:
        raise ConfigurationError(
            f"lora.targets {sorted(unknown)} are no linear layers of the language model; "
            f"there are: {', '.join(sorted(kinds))}"
        )
    return [name for name in found if not targets or name.rpartition(".")[2] in targets]


def quantization(spec: TrainingSpec) -> Any:
    """How the frozen weights are loaded for QLoRA; None for anything else.

    Raises ConfigurationError where it cannot run.
    """
    asked = spec.hyperparameters.lora
    if asked is None or not asked.quantize:
        return None
    if spec.device == "cpu":
        raise ConfigurationError("lora.quantize (QLoRA) needs a GPU; lora without it does not")
    from transformers import BitsAndBytesConfig
    from transformers.utils import is_bitsandbytes_available

    if not is_bitsandbytes_available():
        raise ConfigurationError(
            "lora.quantize needs bitsandbytes: pip install 'comd[lora]' bitsandbytes"
        )
    half = torch.float16 if spec.hyperparameters.precision == "fp16" else torch.bfloat16
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=half,
        bnb_4bit_quant_storage=half,
    )


def merge(source: Path, adapter: Path, into: Path, *, trust_remote_code: bool) -> None:
    """Write to `into` the model `source` with the adapter added to its weights, as those are stored.

    What has no adapter keeps its bits. To be called on one rank, after the training: ZeRO-3 would
    cut what is loaded here into shards.
    """
    from transformers import AutoModelForImageTextToText
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()
    plain = AutoModelForImageTextToText.from_pretrained(
        source, dtype="auto", trust_remote_code=trust_remote_code, use_safetensors=True
    )
    merged = _peft().PeftModel.from_pretrained(plain, adapter).merge_and_unload(safe_merge=True)
    merged.save_pretrained(into)


def untouched(asked: Hyperparameters, adapter: Path) -> Callable[[str], bool]:
    """Says by a saved tensor's name whether it has no adapter, and so must be as it was."""
    from safetensors import safe_open

    with safe_open(adapter / "adapter_model.safetensors", framework="pt") as tensors:
        kinds = {name.partition(".lora_")[0].rpartition(".")[2] for name in tensors.keys()}  # noqa: SIM118

    def same(name: str) -> bool:
        module = name.removesuffix(".weight").rpartition(".")[2]
        return asked.frozen(name) or module not in kinds

    return same


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise ConfigurationError("lora needs peft: pip install 'comd[lora]'") from error
    return peft
