"""What counts as having seen the benchmark, and what is done about it."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, field_validator, model_validator

Mode = Literal["exclude", "report", "off"]
Kind = Literal["same_image", "near_image", "near_text"]


class DecontaminationConfig(BaseModel):
    """Instructions that overlap with a benchmark of `evaluation.benchmarks` (docs/decontamination.md).

    A bare mode stands for the section: `decontamination: report`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Field(
        "exclude",
        description="exclude: never tune on them and never grow from them; report: only record them; "
        "off: do not look.",
    )
    kinds: tuple[Kind, ...] = Field(
        get_args(Kind),
        description="same_image: equal bytes; near_image: perceptual hash; near_text: the question.",
    )
    image_distance: NonNegativeInt = Field(
        6, le=16, description="near_image: bits of 64 in which the hashes may differ."
    )
    text_threshold: float = Field(
        0.8, ge=0.5, le=1, description="near_text: ROUGE-L F from which two questions are one."
    )
    specific_words: NonNegativeInt = Field(
        16,
        description="near_text: a question of fewer distinct words is generic where the pictures "
        "differ, and then no contamination.",
    )

    @model_validator(mode="before")
    @classmethod
    def _bare_mode(cls, value: Any) -> Any:
        return {"mode": value} if isinstance(value, str | bool) else value

    @field_validator("mode", mode="before")
    @classmethod
    def _yaml_off(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML reads off as false
