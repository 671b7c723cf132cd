"""Claims: a lease with a fencing token, renewed by heartbeats, closed with the results."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import CursorResult, Select, func, or_, select, update
from sqlalchemy.orm import Session

from comd_platform.errors import ComdError
from comd_platform.tables import Iteration, WorkItem


class LeaseLost(ComdError):
    """Another worker may have the item by now: nothing of this attempt may be written."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A work item in a worker's hands, for as long as `token` is the row's.

    `suspect`: it was lost or failed before, so it is done alone: nothing beside it is blamed for it.
    """

    item_id: int
    token: uuid.UUID
    iteration_id: int
    phase: str
    role: str
    model_id: int | None
    evaluation_id: int | None
    subject_ids: tuple[int, ...]
    suspect: bool = False


def claim(
    session: Session, item_id: int, worker_id: int, lease_seconds: float | None = None
) -> Claim | None:
    """Take a pending item; None when it is done, taken or gone (a bell may ring twice).

    `lease_seconds`: unset, what the iteration's config says.
    """
    free = select(WorkItem.id).where(WorkItem.id == item_id)
    return _take(session, free, worker_id, lease_seconds)


def claim_like(session: Session, held: Claim, worker_id: int) -> Claim | None:
    """Take another pending item of the same phase and model whose bell has rung, and that is no suspect:
    the last one, since bells are heard from the first on. None when there is none."""
    free = (
        select(WorkItem.id)
        .where(
            WorkItem.iteration_id == held.iteration_id,
            WorkItem.phase == held.phase,
            WorkItem.role == held.role,
            WorkItem.model_id.is_not_distinct_from(held.model_id),
            WorkItem.evaluation_id.is_not_distinct_from(held.evaluation_id),
            WorkItem.rung_at.is_not(None),  # with the driver gone nothing more is begun
            WorkItem.claims == 0,
            WorkItem.failures == 0,
        )
        .order_by(WorkItem.id.desc())
        .limit(1)
    )
    return _take(session, free, worker_id)


def _take(
    session: Session, free: Select[int], worker_id: int, lease_seconds: float | None = None
) -> Claim | None:
    configured = (
        select(Iteration.config["ledger"]["lease_seconds"].as_float())
        .where(Iteration.id == WorkItem.iteration_id)
        .scalar_subquery()
    )
    seconds = configured if lease_seconds is None else lease_seconds
    # Somebody who holds the row is claiming it just now, or froze while claiming: never wait for it.
    pending = (
        free.where(WorkItem.state == "pending").with_for_update(skip_locked=True).scalar_subquery()
    )
    row = session.execute(
        update(WorkItem)
        .where(WorkItem.id == pending)
        .values(
            state="leased",
            token=uuid.uuid4(),
            worker_id=worker_id,
            claims=WorkItem.claims + 1,
            started_at=func.clock_timestamp(),
            lease_expires_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds),
        )
        .returning(
            WorkItem.id,
            WorkItem.token,
            WorkItem.iteration_id,
            WorkItem.phase,
            WorkItem.role,
            WorkItem.model_id,
            WorkItem.evaluation_id,
            WorkItem.subject_ids,
            or_(WorkItem.claims > 1, WorkItem.failures > 0).label("suspect"),
        )
    ).one_or_none()
    if row is None or row.token is None:
        return None
    return Claim(
        row.id,
        row.token,
        row.iteration_id,
        row.phase,
        row.role,
        row.model_id,
        row.evaluation_id,
        tuple(row.subject_ids),
        row.suspect,
    )


def renew(session: Session, held: Claim, lease_seconds: float) -> bool:
    """Extend the lease; False when the token no longer holds."""
    return _move(
        session,
        held,
        lease_expires_at=func.clock_timestamp() + timedelta(seconds=lease_seconds),
    )


def complete(session: Session, held: Claim) -> None:
    """Mark the item done, in the transaction that writes its results.

    Raises LeaseLost when the token no longer holds; the transaction must then be rolled back.
    """
    closed = _move(
        session,
        held,
        state="done",
        token=None,
        lease_expires_at=None,
        error=None,
        finished_at=func.clock_timestamp(),
    )
    if not closed:
        raise LeaseLost(f"work item {held.item_id} was given to another worker")


def release(session: Session, held: Claim) -> bool:
    """Put an unfinished item back, as if never claimed: the worker was asked to stop."""
    return _move(
        session,
        held,
        state="pending",
        token=None,
        lease_expires_at=None,
        rung_at=None,
        claims=WorkItem.claims - 1,
    )


def got_on(session: Session, held: Claim) -> bool:
    """Work of hours has saved a part of itself: the deaths before that count no more."""
    return _move(session, held, claims=1)


def _move(session: Session, held: Claim, **values: object) -> bool:
    result = session.execute(
        update(WorkItem)
        .where(
            WorkItem.id == held.item_id,
            WorkItem.token == held.token,
            WorkItem.state == "leased",
        )
        .values(**values)
        .execution_options(synchronize_session=False)  # claims are no objects of a session
    )
    assert isinstance(result, CursorResult)
    return result.rowcount == 1
