"""Planning: which records go together in one work item."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Select, SQLColumnExpression, func, insert, literal, select
from sqlalchemy.orm import Session

from comd_platform.tables import WorkItem

OPEN = ("pending", "leased")


def plan_items(
    session: Session,
    *,
    iteration_id: int,
    phase: str,
    role: str,
    subjects: Select[int],
    order: SQLColumnExpression[Any],
    batch: int,
    model_id: int | None = None,
    evaluation_id: int | None = None,
) -> int:
    """One pending item per `batch` of the subjects that a statement names; returns how many subjects.

    The statement's one column are their ids, from plain rows: without DISTINCT, GROUP BY or LIMIT. They
    are taken by `order`, something that it can read. The database does all of it: however many there
    are, none comes here.
    """
    place = (func.row_number(type_=BigInteger).over(order_by=order) - 1).label("place")
    placed = subjects.add_columns(place).subquery()
    item = placed.c.place // batch
    values = {
        WorkItem.iteration_id: iteration_id,
        WorkItem.phase: phase,
        WorkItem.role: role,
        WorkItem.model_id: model_id,
        WorkItem.evaluation_id: evaluation_id,
    }
    batches = (
        select(
            *(literal(value, column.type) for column, value in values.items()),
            func.array_agg(placed.c[0]).aggregate_order_by(placed.c.place),
        )
        .group_by(item)
        .order_by(item)
    )
    made = (
        insert(WorkItem)
        .from_select([*values, WorkItem.subject_ids], batches)
        .returning(func.cardinality(WorkItem.subject_ids).label("records"))
        .cte()
    )
    return int(session.scalars(select(func.coalesce(func.sum(made.c.records), 0))).one())


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
