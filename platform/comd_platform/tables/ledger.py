"""What is to be done, who does it, and what went wrong."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid, false, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BigInteger

from comd_platform.tables.base import Base, CreatedAt, Id, one_of
from comd_platform.tables.runs import PHASES

ROLES = ("teacher", "student", "assessor", "augmentor", "trainer")


class Worker(Base):
    """A worker process; alive while its heartbeat is recent.

    `memory_bytes`: resident, of it and of what it started; `device_bytes`: what torch reserved on its
    CUDA devices, null where it uses none.
    """

    __tablename__ = "worker"
    __table_args__ = (one_of("state", "starting", "idle", "busy", "stopped"),)

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    host: Mapped[str]
    pid: Mapped[int]
    roles: Mapped[list[str]]
    device: Mapped[str]
    state: Mapped[str]
    started_at: Mapped[CreatedAt]
    heartbeat_at: Mapped[datetime]
    memory_bytes: Mapped[int | None]
    device_bytes: Mapped[int | None]


class WorkItem(Base):
    """A batch of records that one worker takes at once.

    `subject_ids` are instruction ids; in the phase evaluate evaluation_item ids; in the phase tune
    none. `fatal` says that its failure ends the phase until somebody has mended the cause. Done-mark
    and result rows are written in one transaction, only while `token` still holds.
    """

    __tablename__ = "work_item"
    __table_args__ = (
        one_of("phase", *PHASES),
        one_of("role", *ROLES),
        one_of("state", "pending", "leased", "done", "split", "failed"),
        CheckConstraint(
            "(state = 'leased') = (token IS NOT NULL)"
            " AND (token IS NULL) = (lease_expires_at IS NULL)",
            name="leased_has_token",
        ),
        Index(
            "ix_work_item_open",
            "iteration_id",
            "phase",
            "id",
            postgresql_where=text("state IN ('pending', 'leased')"),
        ),
        Index("ix_work_item_iteration_id_phase_state", "iteration_id", "phase", "state"),
    )

    id: Mapped[Id]
    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"))
    phase: Mapped[str]
    role: Mapped[str]
    model_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"), index=True)
    evaluation_id: Mapped[int | None] = mapped_column(ForeignKey("evaluation.id"), index=True)
    subject_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    state: Mapped[str] = mapped_column(server_default="pending")
    claims: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(server_default="0")
    fatal: Mapped[bool] = mapped_column(server_default=false())
    token: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    lease_expires_at: Mapped[datetime | None]
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("worker.id"), index=True)
    rung_at: Mapped[datetime | None]
    error: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Failure(Base):
    """A record that failed a phase: tried again up to a limit, then quarantined, never forgotten."""

    __tablename__ = "failure"
    __table_args__ = (
        one_of("phase", *PHASES),
        one_of("state", "retrying", "quarantined", "resolved"),
        CheckConstraint(
            "num_nonnulls(instruction_id, evaluation_item_id) = 1", name="has_one_subject"
        ),
        CheckConstraint("attempts >= 1", name="attempts_positive"),
        Index(
            "uq_failure_subject",
            "iteration_id",
            "phase",
            "instruction_id",
            "evaluation_item_id",
            "evaluation_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_failure_instruction_id", "instruction_id"),
    )

    id: Mapped[Id]
    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"))
    phase: Mapped[str]
    instruction_id: Mapped[int | None] = mapped_column(ForeignKey("instruction.id"))
    evaluation_item_id: Mapped[int | None] = mapped_column(
        ForeignKey("evaluation_item.id"), index=True
    )
    evaluation_id: Mapped[int | None] = mapped_column(ForeignKey("evaluation.id"), index=True)
    reason: Mapped[str]
    detail: Mapped[str]
    attempts: Mapped[int]
    state: Mapped[str]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
