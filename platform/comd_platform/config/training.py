"""How a student is tuned: the paper's section 4.1.3, LLaVA's values where it is silent."""

from __future__ import annotations

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


class Hyperparameters(BaseModel):
    """Everything that decides what the weights become, apart from data, seed and starting point."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    objective: str = Field("sft", description="A name in comd_training.objectives.")
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
    max_length: PositiveInt = Field(2048, description="Tokens a dialogue, picture included.")
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    zero_stage: Literal[1, 2, 3] = 2
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

    def frozen(self, name: str) -> bool:
        """Whether the parameter of this name stays as it is."""
        if self.train_only:
            return not any(part in name for part in self.train_only)
        return any(part in name for part in self.freeze)

    def accumulation(self, processes: int) -> tuple[int, int]:
        """(micro batch, accumulation steps) with which `processes` ranks make up `batch_size`.

        Raises ValueError where they cannot make it up exactly.
        """
        micro = self.micro_batch_size or max(1, self.batch_size // processes)
        steps, left = divmod(self.batch_size, micro * processes)
        if steps == 0 or left:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of {micro} dialogues "
                f"(micro_batch_size) on {processes} ranks"
            )
        return micro, steps
