"""What a student's loss is made of (`training.objective`): the paper's, or white-box distillation.

One frozen model an objective; the losses themselves are in `comd_training.objectives`, one file a
name. `objective: logit_kd` is short for `objective: {name: logit_kd}`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

Divergence = Literal["forward_kl", "reverse_kl", "symmetric_kl", "js"]
Distance = Literal["cosine", "mse"]
TeacherSource = Literal["in_step", "stored"]


class _Objective(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def needs_teacher(self) -> bool:
        """Whether the teacher's forward pass runs in the same step."""
        return getattr(self, "teacher", None) == "in_step"

    @property
    def stored_top_k(self) -> int | None:
        """How many of the teacher's logits a token the label phase has to store; None: none."""
        return None

    @property
    def has_teacher(self) -> bool:
        """Whether more of the teacher than its answers decides what the weights become."""
        return self.needs_teacher or self.stored_top_k is not None


class SftConfig(_Objective):
    """The paper's: cross-entropy on the teacher's answers (eq. 3)."""

    name: Literal["sft"] = "sft"


class _WhiteBox(_Objective):
    cross_entropy_weight: NonNegativeFloat = Field(
        1.0,
        description="Of the cross-entropy on the answers (eq. 3); 0: the teacher's signal alone.",
    )
    teacher_chat_template: str | None = Field(
        None,
        description="The teacher's, as training.chat_template; unset: that one where it is set, else "
        "the teacher's own.",
    )


class _LogitTerm(_WhiteBox):
    divergence: Divergence = Field(
        "forward_kl",
        description="Between next-token distributions, over the answers: KL(teacher, student), "
        "KL(student, teacher), the mean of both, or Jensen-Shannon.",
    )
    temperature: PositiveFloat = Field(
        1.0, description="Softens both distributions; the term is multiplied by its square."
    )
    logit_weight: PositiveFloat = 1.0


class _TokenTerm(_WhiteBox):
    distance: Distance = Field(
        "cosine", description="Between last hidden states: 1 - cosine, or the mean squared error."
    )
    token_weight: PositiveFloat = 1.0
    hidden_width: PositiveInt | None = Field(
        None, description="Of the MLP between student and teacher; unset: the teacher's width."
    )
    teacher: Literal["in_step"] = Field(
        "in_step", description="Hidden states are never stored, so the teacher runs in the step."
    )

    @field_validator("teacher", mode="before")
    @classmethod
    def _hidden_states_are_not_stored(cls, value: object) -> object:
        if value == "stored":
            raise ValueError(
                "the label phase stores logits, not hidden states: token_kd and joint need "
                "teacher: in_step (logit_kd can do with stored)"
            )
        return value


class LogitKdConfig(_LogitTerm):
    """The teacher's next-token distributions beside its answers."""

    name: Literal["logit_kd"] = "logit_kd"
    teacher: TeacherSource = Field(
        "in_step",
        description="in_step: its forward pass in every step, a copy of it on every rank; stored: its "
        "top logits, written in the label phase.",
    )
    top_k: PositiveInt = Field(
        64, description="stored: logits kept a token; what else there is counts as one outcome."
    )

    @property
    def stored_top_k(self) -> int | None:
        return self.top_k if self.teacher == "stored" else None


class TokenKdConfig(_TokenTerm):
    """The teacher's last hidden states beside its answers, through a small MLP."""

    name: Literal["token_kd"] = "token_kd"


class JointConfig(_LogitTerm, _TokenTerm):
    """Cross-entropy, logits and hidden states together: what LLAVADI finds best."""

    name: Literal["joint"] = "joint"


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


ObjectiveConfig = Annotated[
    Annotated[SftConfig | LogitKdConfig | TokenKdConfig | JointConfig, Field(discriminator="name")],
    BeforeValidator(_named),
]
PlainObjective = Annotated[SftConfig, BeforeValidator(_named)]
