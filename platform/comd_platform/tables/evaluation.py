"""Held-out questions, and what each model made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from comd_platform.tables.base import Base, CreatedAt, Id, one_of
from comd_platform.tables.spending import Spent, spent_checks


class Benchmark(Base):
    """A fixed set of held-out items; `fingerprint` hashes items and metric."""

    __tablename__ = "benchmark"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    metric: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[CreatedAt]


class EvaluationItem(Base):
    """One held-out question; `groups` are the labels that scores are broken down by."""

    __tablename__ = "evaluation_item"
    __table_args__ = (UniqueConstraint("benchmark_id", "key"),)

    id: Mapped[Id]
    benchmark_id: Mapped[int] = mapped_column(ForeignKey("benchmark.id"))
    key: Mapped[str]
    image_id: Mapped[int | None] = mapped_column(ForeignKey("image.id"), index=True)
    question: Mapped[str]
    answers: Mapped[list[Any]] = mapped_column(JSONB)
    groups: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


class Evaluation(Base):
    """One model on one benchmark: the teacher and the untuned student stand beside checkpoints."""

    __tablename__ = "evaluation"
    __table_args__ = (
        UniqueConstraint("benchmark_id", "model_id"),
        one_of("subject", "teacher", "student"),
    )

    id: Mapped[Id]
    benchmark_id: Mapped[int] = mapped_column(ForeignKey("benchmark.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), index=True)
    subject: Mapped[str]
    iteration_id: Mapped[int | None] = mapped_column(ForeignKey("iteration.id"), index=True)
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]


class EvaluationScore(Spent, Base):
    """What the model said to one item and what it is worth, 0 to 1."""

    __tablename__ = "evaluation_score"
    __table_args__ = (
        CheckConstraint("score BETWEEN 0 AND 1", name="score_in_range"),
        Index("ix_evaluation_score_item_id", "item_id"),
        *spent_checks(),
    )

    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluation.id"), primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("evaluation_item.id"), primary_key=True)
    text: Mapped[str]
    score: Mapped[float] = mapped_column(Double)
