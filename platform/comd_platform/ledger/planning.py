"""Planning: which records go together in one work item."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from comd_platform.tables import WorkItem

OPEN = ("pending", "leased")


def plan_items(
    session: Session,
    *,
    iteration_id: int,
    phase: str,
    role: str,
    subject_ids: Sequence[int],
    batch: int,
    model_id: int | None = None,
    evaluation_id: int | None = None,
) -> int:
    """One pending item per `batch` of subjects, in the order given; returns how many items."""
    rows = [
        {
            "iteration_id": iteration_id,
            "phase": phase,
            "role": role,
            "model_id": model_id,
            "evaluation_id": evaluation_id,
            "subject_ids": list(subject_ids[start : start + batch]),
        }
        for start in range(0, len(subject_ids), batch)
    ]
    if rows:
        session.execute(insert(WorkItem), rows)
    return len(rows)


def open_items(session: Session, iteration_id: int, phase: str) -> int:
    """How many items of a phase are neither done nor given up."""
    count = session.scalar(
        select(func.count())
        .select_from(WorkItem)
        .where(
            WorkItem.iteration_id == iteration_id,
            WorkItem.phase == phase,
            WorkItem.state.in_(OPEN),
        )
    )
    return int(count or 0)


def count_subjects(session: Session, iteration_id: int, phase: str) -> int:
    """How many different records a phase was asked to do, however often each was planned."""
    asked = (
        select(WorkItem.evaluation_id, func.unnest(WorkItem.subject_ids).label("subject"))
        .where(WorkItem.iteration_id == iteration_id, WorkItem.phase == phase)
        .distinct()
        .subquery()
    )
    count = session.scalar(select(func.count()).select_from(asked))
    return int(count or 0)
