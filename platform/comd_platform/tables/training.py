"""What the student was trained on, how it went, and what came out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from comd_platform.tables.base import Base, CreatedAt, Id, one_of


class TrainingRun(Base):
    """One tuning of the student. `key` hashes all that determines it: examples, base, settings.

    `failure_kind`: comd_training.failures names them; `saved_step`: the step after which it can be
    resumed, null where it has saved nothing. `stopped`: it was asked to leave, and has saved.
    It is an iteration's own, or a side branch: fine-tuned on the reference answers of a pool, for a
    benchmark, and never continued.
    """

    __tablename__ = "training_run"
    __table_args__ = (
        one_of("state", "planned", "running", "stopped", "done", "failed"),
        CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="failed_has_error"),
        CheckConstraint("(state = 'failed') = (failure_kind IS NOT NULL)", name="failed_has_kind"),
        CheckConstraint("num_nonnulls(iteration_id, pool_id) = 1", name="iteration_or_side_branch"),
    )

    id: Mapped[Id]
    iteration_id: Mapped[int | None] = mapped_column(ForeignKey("iteration.id"), unique=True)
    pool_id: Mapped[int | None] = mapped_column(ForeignKey("pool.id"), index=True)
    key: Mapped[str] = mapped_column(index=True)
    base_model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), index=True)
    objective: Mapped[str]
    config: Mapped[dict[str, Any]]
    seed: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="planned")
    error: Mapped[str | None]
    failure_kind: Mapped[str | None]
    saved_step: Mapped[int | None]
    examples_path: Mapped[str | None]
    examples_sha256: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]


class TrainingExample(Base):
    """Exactly what the student saw: this answer, as this turn of this dialogue, and why."""

    __tablename__ = "training_example"
    __table_args__ = (
        one_of("reason", "tuning_pool", "accumulated", "replayed", "fine_tuning"),
        one_of("image_position", "before", "after"),
        CheckConstraint("turn >= 1", name="turn_positive"),
        Index("ix_training_example_instruction_id", "instruction_id"),
        Index("ix_training_example_answer_id", "answer_id"),
        Index(
            "uq_training_example_training_run_id_dialogue_turn",
            "training_run_id",
            "dialogue",
            "turn",
            unique=True,
        ),
    )

    training_run_id: Mapped[int] = mapped_column(ForeignKey("training_run.id"), primary_key=True)
    instruction_id: Mapped[int] = mapped_column(ForeignKey("instruction.id"), primary_key=True)
    answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"))
    dialogue: Mapped[str]
    turn: Mapped[int]
    image_position: Mapped[str]
    reason: Mapped[str]


class TrainingMetric(Base):
    """One logged optimizer step; `tokens` of its batch, without padding; `seconds` since the
    training process started; `extra`: what the loss is made of, by the objective's own names."""

    __tablename__ = "training_metric"

    training_run_id: Mapped[int] = mapped_column(ForeignKey("training_run.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    loss: Mapped[float] = mapped_column(Double)
    learning_rate: Mapped[float] = mapped_column(Double)
    grad_norm: Mapped[float | None] = mapped_column(Double)
    tokens: Mapped[int]
    seconds: Mapped[float] = mapped_column(Double)
    extra: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class Checkpoint(Base):
    """A finished student on disk. `path` is relative to the artifact root; complete by definition."""

    __tablename__ = "checkpoint"

    id: Mapped[Id]
    training_run_id: Mapped[int] = mapped_column(ForeignKey("training_run.id"), unique=True)
    step: Mapped[int]
    path: Mapped[str]
    weights_sha256: Mapped[str]
    created_at: Mapped[CreatedAt]
