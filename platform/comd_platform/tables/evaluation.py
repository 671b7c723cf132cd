"""Held-out questions, and what each model made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from comd_platform.tables.base import Base, CreatedAt, Id, one_of
from comd_platform.tables.spending import Spent, spent_checks


class Benchmark(Base):
    """A fixed set of held-out items; `fingerprint` hashes items and metric.

    `kind` is the benchmark's entry in the registry; `metric` says how an answer is asked for and what
    it is worth.
    """

    __tablename__ = "benchmark"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    metric: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[CreatedAt]


class EvaluationItem(Base):
    """One held-out question; `groups` are the labels that scores are broken down by.

    `choices` are the texts of its options, NULL where it has none; `context` is what a judge is told
    of the picture.
    """

    __tablename__ = "evaluation_item"
    __table_args__ = (UniqueConstraint("benchmark_id", "key"),)

    id: Mapped[Id]
    benchmark_id: Mapped[int] = mapped_column(ForeignKey("benchmark.id"))
    key: Mapped[str]
    image_id: Mapped[int | None] = mapped_column(ForeignKey("image.id"), index=True)
    question: Mapped[str]
    answers: Mapped[list[Any]] = mapped_column(JSONB)
    groups: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    choices: Mapped[list[Any] | None] = mapped_column(JSONB)
    context: Mapped[str | None]


class Evaluation(Base):
    """One model on one benchmark: the teacher and the untuned student stand beside checkpoints.

    `assessor_id` is the judge of a benchmark that has one. A `fine_tuned` student is a side branch of
    its iteration's: no iteration continues it.
    """

    __tablename__ = "evaluation"
    __table_args__ = (
        UniqueConstraint(
            "benchmark_id", "model_id", "assessor_id", postgresql_nulls_not_distinct=True
        ),
        one_of("subject", "teacher", "student", "fine_tuned"),
    )

    id: Mapped[Id]
    benchmark_id: Mapped[int] = mapped_column(ForeignKey("benchmark.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), index=True)
    assessor_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"), index=True)
    subject: Mapped[str]
    iteration_id: Mapped[int | None] = mapped_column(ForeignKey("iteration.id"), index=True)
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]


class EvaluationScore(Spent, Base):
    """What the model said to one item and what it is worth, 0 to 1.

    `choice` is the option that it named (0 for A), NULL where none can be read. Of a judged benchmark
    `score` and `reference_score` are a tenth of the two mean scores, NULL until the judge has spoken.
    """

    __tablename__ = "evaluation_score"
    __table_args__ = (
        CheckConstraint("score BETWEEN 0 AND 1", name="score_in_range"),
        CheckConstraint(
            "reference_score > 0 AND reference_score <= 1", name="reference_score_in_range"
        ),
        *spent_checks(),
        Index("ix_evaluation_score_item_id", "item_id"),
    )

    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluation.id"), primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("evaluation_item.id"), primary_key=True)
    text: Mapped[str]
    choice: Mapped[int | None]
    score: Mapped[float | None] = mapped_column(Double)
    reference_score: Mapped[float | None] = mapped_column(Double)


class EvaluationReview(Spent, Base):
    """What a judge wrote of an answer beside the reference, in one order; raw text always kept."""

    __tablename__ = "evaluation_review"
    __table_args__ = (
        ForeignKeyConstraint(
            ["evaluation_id", "item_id"],
            ["evaluation_score.evaluation_id", "evaluation_score.item_id"],
        ),
        one_of("position", "reference_first", "candidate_first"),
        one_of("status", "read", "clamped", "unreadable"),
        CheckConstraint(
            "(status = 'unreadable') = (reference_score IS NULL)"
            " AND (reference_score IS NULL) = (candidate_score IS NULL)",
            name="read_has_scores",
        ),
        CheckConstraint(
            "reference_score BETWEEN 1 AND 10 AND candidate_score BETWEEN 1 AND 10",
            name="scores_in_range",
        ),
        *spent_checks(),
    )

    evaluation_id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[str] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    raw: Mapped[str]
    reference_score: Mapped[float | None] = mapped_column(Double)
    candidate_score: Mapped[float | None] = mapped_column(Double)
    status: Mapped[str]
    created_at: Mapped[CreatedAt]
