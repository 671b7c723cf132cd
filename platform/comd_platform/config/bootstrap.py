"""An images-only start, as a run config states it: what to have written about each picture."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from comd_platform.method.bootstrapping import ASKS, expand
from comd_platform.method.task_types import COMPLEX, CONVERSATION, DETAIL


class RequestConfig(BaseModel):
    """A kind of question that is asked for about every picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task_type: str = Field(min_length=1, description="What its questions, and their heirs, are.")
    ask: str | None = Field(
        None,
        min_length=1,
        description="What the augmentor is asked to write, a sentence. Unset: comd's own, which it "
        "has for conversation, detail description, complex reasoning and multiple choice.",
    )
    count: PositiveInt = Field(1, description="So many of it a picture.")

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.ask is None and self.task_type not in ASKS:
            raise ValueError(
                f"comd has no words to ask for {self.task_type!r} (it has them for "
                f"{', '.join(ASKS)}); say it in `ask`"
            )
        return self


class BootstrapConfig(BaseModel):
    """The augmentor writes the seed set, from a pool of pictures (comd import images-folder)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: tuple[RequestConfig, ...] = Field(
        (
            RequestConfig(task_type=CONVERSATION, count=2),
            RequestConfig(task_type=DETAIL),
            RequestConfig(task_type=COMPLEX),
        ),
        min_length=1,
        description="The task types, and how many questions of each a picture gets.",
    )
    prompt: Path | None = Field(
        None, description="A Jinja2 file for these requests; unset: the one shipped with comd."
    )

    @model_validator(mode="after")
    def _requests_differ(self) -> Self:
        texts = [text for _, text in self.texts()]
        if len(set(texts)) < len(texts):
            raise ValueError("two requests ask for the same; give one of them a higher count")
        return self

    def texts(self) -> list[tuple[str, str]]:
        """(task type, text) of each request about one picture."""
        return expand((each.task_type, each.ask, each.count) for each in self.requests)
