"""Runs, their iterations, and the phases that an iteration went through."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from comd_platform.tables.base import Base, CreatedAt, Id, one_of

PHASES = (
    "augment",
    "accept",
    "decontaminate",
    "label",
    "tune",
    "answer",
    "evaluate",
    "judge",
    "assess",
)
"""In order; a first iteration has augment and accept only where it begins with pictures alone, a run
without benchmarks no decontaminate."""


class Run(Base):
    """A branch: its own iterations, continuing from `base_iteration_id` where there is one.

    A branch with a parent and no base shares no iteration whole: it makes its first one itself, of
    the parent's rows where they still hold.
    """

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint(
            "base_iteration_id IS NULL OR parent_id IS NOT NULL", name="base_has_parent"
        ),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    seed: Mapped[int]
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"), index=True)
    base_iteration_id: Mapped[int | None] = mapped_column(
        ForeignKey("iteration.id", use_alter=True), index=True
    )
    config: Mapped[dict[str, Any]]
    driver: Mapped[str | None]
    driver_since: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Iteration(Base):
    """One turn of the loop. `phase` is where it stands; `parent_id` may belong to another run.

    `student_model_id` is the student that this iteration tuned; null until it has.
    """

    __tablename__ = "iteration"
    __table_args__ = (
        UniqueConstraint("run_id", "number"),
        CheckConstraint("number >= 1", name="number_positive"),
        CheckConstraint("(number = 1) = (parent_id IS NULL)", name="first_has_no_parent"),
        CheckConstraint("(phase = 'done') = (finished_at IS NOT NULL)", name="done_has_time"),
        one_of("phase", *PHASES, "done"),
    )

    id: Mapped[Id]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    number: Mapped[int]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("iteration.id"), index=True)
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), index=True)
    config: Mapped[dict[str, Any]]
    phase: Mapped[str]
    teacher_model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    assessor_model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    augmentor_model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    student_model_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"), index=True)
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]


class IterationPhase(Base):
    """When a phase began and ended, and over how many records: progress, rate and time by phase."""

    __tablename__ = "iteration_phase"
    __table_args__ = (one_of("phase", *PHASES),)

    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"), primary_key=True)
    phase: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(server_default="0")
    note: Mapped[str | None]
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
