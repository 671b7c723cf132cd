"""Stage 1's config: how captions are chosen, how the projector is trained (section 3.2, 4.1.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from comd_platform.config.load import ConfigError, read_document, refusal, with_overrides
from comd_platform.config.objectives import PlainObjective, SftConfig
from comd_platform.config.training import Hyperparameters


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FilterConfig(_Section):
    """The concept-balanced choice of captions."""

    extractor: str = Field(
        "en_core_web_sm", description="A spaCy model or its folder; bundled: comd's own."
    )
    minimum: PositiveInt = Field(3, description="Phrases in fewer pairs are left out.")
    cap: PositiveInt = Field(100, description="Pairs that a more frequent phrase brings.")
    seed: int = 0


class ProjectorTraining(Hyperparameters):
    """Only the projector learns; the rest of the values are those of the tuning."""

    objective: PlainObjective = Field(SftConfig(), description="Captions have no teacher: sft.")
    learning_rate: PositiveFloat = 2e-3
    train_only: tuple[str, ...] = Field(
        ("multi_modal_projector",),
        min_length=1,
        description="Parts of the projector's parameter names: LLaVA's; visual.merger for Qwen-VL, "
        "connector for SmolVLM and Idefics.",
    )


class Stage1Config(_Section):
    """`comd pretrain filter` reads `filter`, `comd pretrain train` the rest."""

    stage: Literal[1] = Field(1, description="Says that this is not a run config.")
    model: str | None = Field(None, description="The student to start from: directory or hub id.")
    revision: str | None = None
    filter: FilterConfig = FilterConfig()
    training: ProjectorTraining = ProjectorTraining()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: PositiveInt = Field(1, description="Ranks; one a GPU.")
    seed: int = Field(0, ge=0)


def load_stage1(path: Path | None, overrides: list[str] | None = None) -> Stage1Config:
    """Read a stage 1 config (none: the paper's values), with `a.b=value` set. Raises ConfigError."""
    document = read_document(path) if path is not None else {}
    try:
        return Stage1Config.model_validate(with_overrides(document, overrides or ()))
    except ValidationError as error:
        raise ConfigError(
            refusal(error, f"{path or 'the given values'} is not a stage 1 config"),
            hint="docs/pretraining.md lists the keys; comd config check tries a file.",
        ) from error
