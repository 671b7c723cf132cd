"""How a student is tuned: the paper's section 4.1.3, LLaVA's values where it is silent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from comd_platform.config.objectives import ObjectiveConfig, SftConfig

Stage = Literal[1, 2, 3]
Offload = Literal["none", "cpu", "nvme"]


@dataclass(frozen=True, slots=True)
class Split:
    """How ranks make up the effective batch: `micro` dialogues a rank and forward pass, `steps` of
    accumulation, and `idle` places that hold a dialogue without loss because the batch has no more.
    """

    micro: int
    steps: int
    idle: int


class LoraConfig(BaseModel):
    """Adapters instead of whole weights (LoRA, Hu et al. 2021; QLoRA, Dettmers et al. 2023).

    The checkpoint holds the merged weights, so that every engine serves it and the next iteration
    goes on from it; the adapter stands beside them, in checkpoint/adapter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: PositiveInt = 64
    alpha: PositiveFloat = Field(128.0, description="Adapters count alpha / rank.")
    dropout: NonNegativeFloat = Field(0.0, lt=1)
    targets: tuple[str, ...] = Field(
        (),
        description="Names of the language model's linear layers (q_proj, say); unset: all of them.",
    )
    quantize: bool = Field(
        False,
        description="QLoRA: the frozen weights in 4 bits (NF4) while training; needs a GPU and "
        "bitsandbytes. The adapter is merged into the weights as they were.",
    )


class Hyperparameters(BaseModel):
    """Everything that decides what the weights become, apart from data, seed and starting point."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    objective: ObjectiveConfig = Field(
        SftConfig(),
        description="A name, or a section with a name and options: sft (the paper), or white-box "
        "distillation: logit_kd, token_kd, joint.",
    )
    epochs: PositiveInt = Field(1, description="Passes over the tuning pool.")
    max_steps: PositiveInt | None = Field(
        None, description="Optimizer steps; replaces `epochs`, for comparisons at equal steps."
    )
    learning_rate: PositiveFloat = 2e-5
    warmup_ratio: NonNegativeFloat = Field(0.03, le=1.0)
    lr_scheduler: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: NonNegativeFloat = 0.0
    max_grad_norm: NonNegativeFloat = Field(1.0, description="0 turns clipping off.")
    batch_size: PositiveInt = Field(16, description="Effective batch in dialogues, over all ranks.")
    micro_batch_size: PositiveInt | None = Field(
        None,
        description="Dialogues a rank and forward pass; accumulation makes up the batch. "
        "Unset: the whole of a rank's share at once.",
    )
    batching: Literal["packed", "grouped", "padded"] = Field(
        "packed",
        description="How a micro batch holds dialogues of different lengths: packed, in one row "
        "without padding; grouped, padded, like lengths of a step's dialogues together; padded, as "
        "they come. None changes what a step learns, but for rounding. Families that cannot be "
        "packed are grouped, and it is said.",
    )
    max_length: PositiveInt = Field(2048, description="Tokens a dialogue, picture included.")
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    zero_stage: Stage | Literal["auto"] = Field(
        2, description="auto: the first that fits the cards, with offload (comd plan-memory)."
    )
    offload_optimizer: Offload = Field(
        "none", description="Where the optimizer's states live; nvme needs zero_stage 3."
    )
    offload_parameters: Offload = Field("none", description="Weights too; needs zero_stage 3.")
    nvme_path: Path | None = Field(None, description="A folder on a fast disk, for offload nvme.")
    optimizer: Literal["auto", "torch", "torch_fused", "deepspeed"] = Field(
        "auto",
        description="AdamW: torch's, its fused form, or DeepSpeed's compiled one (on the CPU where "
        "the states are offloaded). auto: deepspeed with offload, else torch_fused on a GPU.",
    )
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = Field(
        "auto", description="auto: flash_attention_2 where it is installed and can run, else sdpa."
    )
    gradient_checkpointing: bool = False
    freeze: tuple[str, ...] = Field(
        ("vision_tower",),
        description="Parameters whose name contains one of these stay as they are.",
    )
    train_only: tuple[str, ...] = Field(
        (),
        description="When given, only parameters whose name contains one of these are trained, and "
        "`freeze` is not read: stage 1 trains the projector alone.",
    )
    lora: LoraConfig | None = Field(
        None, description="Train adapters of the language model's linear layers, nothing else."
    )
    chat_template: str | None = Field(
        None,
        description="Replaces the processor's chat template: a name shipped with comd_training "
        "(vicuna_v1) or the path of a Jinja file. The checkpoint carries it on.",
    )

    @model_validator(mode="after")
    def _micro_batches_make_up_the_batch(self) -> Self:
        if self.micro_batch_size is not None and self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of "
                f"micro_batch_size {self.micro_batch_size}"
            )
        return self

    @model_validator(mode="after")
    def _lora_can_be(self) -> Self:
        if self.lora is not None and self.train_only:
            raise ValueError("train_only and lora both say what is trained: give one of them")
        if self.lora is not None and self.lora.quantize and self.zero_stage == 3:
            raise ValueError("lora.quantize: 4 bit weights cannot be divided (zero_stage 1 or 2)")
        return self

    @model_validator(mode="after")
    def _offload_can_be(self) -> Self:
        offloads = {self.offload_optimizer, self.offload_parameters}
        if self.zero_stage == "auto" and offloads != {"none"}:
            raise ValueError("zero_stage auto chooses the offload too: leave offload_* at none")
        if self.zero_stage != 3 and self.offload_parameters != "none":
            raise ValueError("offload_parameters needs zero_stage 3")
        if self.zero_stage != 3 and self.offload_optimizer == "nvme":
            raise ValueError("offload_optimizer nvme needs zero_stage 3")
        if self.offload_parameters != "none" and self.offload_optimizer == "none":
            raise ValueError("offload_parameters goes with offload_optimizer: set that first")
        if "nvme" in offloads and self.nvme_path is None:
            raise ValueError("offload to nvme needs nvme_path")
        return self

    def frozen(self, name: str) -> bool:
        """Whether the parameter of this name stays as it is."""
        if self.train_only:
            return not any(part in name for part in self.train_only)
        return any(part in name for part in self.freeze)

    def split(self, ranks: int) -> Split:
        """How `ranks` make up `batch_size` exactly; where it does not divide, places stay idle.

        Raises ValueError where a single micro batch on all ranks is already more than twice that.
        """
        micro = self.micro_batch_size or max(1, math.ceil(self.batch_size / ranks))
        steps = max(1, math.ceil(self.batch_size / (micro * ranks)))
        idle = micro * ranks * steps - self.batch_size
        if idle >= self.batch_size:
            raise ValueError(
                f"{ranks} ranks of {micro} dialogues (micro_batch_size) hold {micro * ranks * steps}"
                f", and most would be idle at batch_size {self.batch_size}: use at most "
                f"{max(1, self.batch_size // micro)} ranks, or batch_size {micro * ranks} or more"
            )
        return Split(micro, steps, idle)
