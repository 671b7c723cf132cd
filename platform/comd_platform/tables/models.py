"""Who spoke: prompts, models, and what they answered."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Double, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from comd_platform.tables.base import Base, CreatedAt, Id, one_of
from comd_platform.tables.spending import Spent, spent_checks


class Prompt(Base):
    """A prompt template, kept whole under its sha256, so that no node needs the file it came from."""

    __tablename__ = "prompt"
    __table_args__ = (one_of("role", "teacher", "student", "assessor", "augmentor"),)

    hash: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    template: Mapped[str]
    created_at: Mapped[CreatedAt]


class Model(Base):
    """A way of speaking: weights, engine, sampling and prompt together, named by a fingerprint.

    A student's checkpoint is a model too; then `uri` is `checkpoint:KEY` and `checkpoint_id` is set.
    """

    __tablename__ = "model"

    id: Mapped[Id]
    fingerprint: Mapped[str] = mapped_column(unique=True)
    uri: Mapped[str]
    revision: Mapped[str | None]
    engine: Mapped[str]
    identity: Mapped[dict[str, Any]]
    sampling: Mapped[dict[str, Any]]
    prompt_hash: Mapped[str] = mapped_column(ForeignKey("prompt.hash"))
    checkpoint_id: Mapped[int | None] = mapped_column(
        ForeignKey("checkpoint.id", use_alter=True), index=True
    )
    created_at: Mapped[CreatedAt]


class Answer(Spent, Base):
    """What a model said to an instruction; said once, used by every iteration and branch.

    `mean_logprob` is what the model thought of it, nats a token; null unless a measure asked.
    """

    __tablename__ = "answer"
    __table_args__ = (
        UniqueConstraint("instruction_id", "model_id"),
        one_of("finish_reason", "stop", "length"),
        *spent_checks(),
        CheckConstraint("mean_logprob <= 0", name="mean_logprob_not_positive"),
    )

    id: Mapped[Id]
    instruction_id: Mapped[int] = mapped_column(ForeignKey("instruction.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), index=True)
    text: Mapped[str]
    finish_reason: Mapped[str]
    mean_logprob: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[CreatedAt]


class AnswerLogits(Base):
    """What the teacher expected at each token of an answer: its `top_k` likeliest tokens, and all others
    together. Written in the label phase, with the answer, where an objective reads them.

    `vocabulary`: digest of the tokens that the ids are of; `tokens`: of the answer, its stop token
    included; `data`: comd_training.top_logits, deflated.
    """

    __tablename__ = "answer_logits"
    __table_args__ = (
        CheckConstraint("top_k >= 1", name="top_k_positive"),
        CheckConstraint("tokens >= 1", name="tokens_positive"),
        CheckConstraint("vocabulary ~ '^[0-9a-f]{64}$'", name="vocabulary_hex"),
    )

    answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"), primary_key=True)
    top_k: Mapped[int]
    vocabulary: Mapped[str]
    tokens: Mapped[int]
    data: Mapped[bytes]
    created_at: Mapped[CreatedAt]
