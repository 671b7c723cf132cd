"""The model that is tuned: where its files are, its processor, its weights, what stays frozen."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from comd_training.failures import ConfigurationError
from comd_training.lora import adapted, quantization
from comd_training.spec import Hyperparameters, TrainingSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_model(model: str, revision: str | None) -> Path:
    """The directory of a local model, or of a hub model's snapshot (downloaded where allowed).

    Raises ConfigurationError where there is no such model.
    """
    path = Path(model)
    if path.is_dir():
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ConfigurationError(
            f"{model} is neither a directory nor a model that can be had from the hub: {error}"
        ) from error


@contextmanager
def loading(model: str, part: str = "student") -> Iterator[None]:
    """transformers' complaints about a directory become ConfigurationError; the system's do not."""
    try:
        yield
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        raise ConfigurationError(f"{model} cannot be loaded as a {part}: {error}") from error


def chat_template(name: str) -> str:
    """A shipped template by name (vicuna_v1), or the contents of a file."""
    shipped = importlib.resources.files("comd_training") / "templates" / f"{name}.jinja"
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    if Path(name).is_file():
        return Path(name).read_text(encoding="utf-8")
    raise ConfigurationError(f"chat_template {name} is neither shipped nor a file")


def load_processor(spec: TrainingSpec, source: Path) -> Any:
    """The processor (tokenizer and image processor) with the chat template that is trained on."""
    from transformers import AutoProcessor

    with loading(spec.model):
        processor = AutoProcessor.from_pretrained(source, trust_remote_code=spec.trust_remote_code)
    if not hasattr(processor, "tokenizer"):
        raise ConfigurationError(f"{spec.model} has no processor for text and pictures")
    with_chat_template(processor, spec.hyperparameters.chat_template)
    return processor


def with_chat_template(processor: Any, name: str | None) -> None:
    """Exchange a processor's chat template for the one named; None leaves its own."""
    if name is not None:
        processor.chat_template = chat_template(name)


def load_student(spec: TrainingSpec, source: Path) -> PreTrainedModel:
    """The weights in the training's precision, frozen where asked.

    Raises ConfigurationError where `freeze` or `train_only` fit no parameter, or leave none to train.
    """
    from transformers import AutoModelForImageTextToText

    with loading(spec.model):
        model = cast(
            "PreTrainedModel",
            AutoModelForImageTextToText.from_pretrained(
                source,
                dtype=DTYPES[spec.hyperparameters.precision],
                attn_implementation=attention(spec),
                quantization_config=quantization(spec),
                trust_remote_code=spec.trust_remote_code,
                use_safetensors=True,
            ),
        )
    _keep_names(model)
    freeze(model, spec.hyperparameters)
    if spec.hyperparameters.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    if spec.hyperparameters.lora is not None:
        return adapted(model, spec, spec.hyperparameters.lora)
    return model


def attention(spec: TrainingSpec) -> str | None:
    """The attention to load with; None leaves it to transformers (SDPA where the model has it).

    Raises ConfigurationError where flash attention is asked for and cannot run.
    """
    asked = spec.hyperparameters.attention
    if asked in ("sdpa", "eager"):
        return asked
    missing = _flash_missing(spec)
    if missing is None:
        return "flash_attention_2"
    if asked == "flash_attention_2":
        raise ConfigurationError(f"attention flash_attention_2 {missing}; use attention: sdpa")
    return None


def _flash_missing(spec: TrainingSpec) -> str | None:
    """What flash attention 2 lacks here; None where it can run."""
    from transformers.utils import is_flash_attn_2_available

    if spec.device == "cpu":
        return "needs a GPU"
    if not is_flash_attn_2_available():
        return "needs the package flash-attn, which is not installed"
    if torch.cuda.get_device_capability() < (8, 0):
        return "needs an Ampere GPU or a newer one"
    if spec.hyperparameters.precision == "fp32":
        return "needs precision bf16 or fp16"
    return None


def _keep_names(model: PreTrainedModel) -> None:
    """Weights are saved under the names they were read under.

    transformers renames older names as it loads and back as it saves; under ZeRO-3 (seen with
    5.23) it would also turn back renamings that were never made.
    """
    conversions = getattr(model, "_weight_conversions", None)
    if conversions:
        used = [c for c in conversions if getattr(c, "was_used", lambda: True)()]
        model._weight_conversions = used


def freeze(model: torch.nn.Module, asked: Hyperparameters) -> None:
    """Parameters that are to stay as they are get no gradient.

    Raises ConfigurationError where a part of a name fits no parameter, or nothing is left to train.
    """
    setting = "train_only" if asked.train_only else "freeze"
    parts = asked.train_only or asked.freeze
    unused = set(parts)
    trained = 0
    for name, parameter in model.named_parameters():
        unused -= {part for part in parts if part in name}
        parameter.requires_grad_(not asked.frozen(name))
        trained += parameter.requires_grad
    if unused:
        raise ConfigurationError(f"{setting} names no parameter of this model: {sorted(unused)}")
    if not trained:
        raise ConfigurationError(f"{setting} {list(parts)} leaves nothing to train")
