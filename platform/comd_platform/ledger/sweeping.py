"""Sweeping: what was never rung, what was lost, and leases whose holder is gone."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.orm import Session

from comd_platform.ledger.failing import lost_too_often, settle
from comd_platform.ledger.workers import SESSION_PREFIX, SILENT_SECONDS
from comd_platform.tables import WorkItem

log = logging.getLogger(__name__)

RING_AGAIN_SECONDS = 20.0
RUNG_AT_ONCE = 32
"""Items of one phase with a bell on the way: enough to keep workers busy, little to lose."""


def expire_leases(session: Session, iteration_id: int, *, item_attempts: int) -> int:
    """Open every item again whose lease has run out; returns how many."""
    expired = session.scalars(
        select(WorkItem)
        .where(
            WorkItem.iteration_id == iteration_id,
            WorkItem.state == "leased",
            WorkItem.lease_expires_at < func.clock_timestamp(),
        )
        .with_for_update(skip_locked=True)
    ).all()
    for item in expired:
        settle(session, item, give_up=lost_too_often(item, item_attempts))
    return len(expired)


def cut_off_frozen(session: Session) -> int:
    """End the database sessions of workers that froze in the middle of a transaction; how many.

    A process that is stopped while it claims or writes holds its item's row, so the item can be
    neither swept nor claimed. PostgreSQL keeps such a transaction for ever: in the middle of a
    statement no idle timeout counts. Whoever works sends heartbeats, so silence tells. The worker,
    when it wakes, finds its connection gone and its token worth nothing.
    """
    ended = session.scalars(
        text(
            "SELECT application_name FROM ("
            " SELECT application_name, pg_terminate_backend(a.pid) FROM pg_stat_activity a"
            " JOIN worker w ON a.application_name = :prefix || w.id"
            " WHERE a.datname = current_database()"
            " AND a.xact_start < clock_timestamp() - make_interval(secs => :seconds)"
            " AND w.heartbeat_at < clock_timestamp() - make_interval(secs => :seconds)) ended"
        ),
        {"prefix": SESSION_PREFIX, "seconds": SILENT_SECONDS},
    ).all()
    for name in ended:
        log.warning("%s froze in a transaction; its session is ended", name)
    return len(ended)


def to_ring(
    session: Session, iteration_id: int, phase: str, *, limit: int = RUNG_AT_ONCE
) -> list[tuple[int, str]]:
    """Up to `limit` (item id, role) whose bell has to ring now; they count as rung from here on.

    An item is rung when it never was, or again when its bell seems lost. What is rung and still
    pending counts against the limit, so that the broker never holds more than a handful.
    """
    stale = func.clock_timestamp() - timedelta(seconds=RING_AGAIN_SECONDS)
    mine = (
        WorkItem.iteration_id == iteration_id,
        WorkItem.phase == phase,
        WorkItem.state == "pending",
    )
    ringing = session.scalar(
        select(func.count()).select_from(WorkItem).where(*mine, WorkItem.rung_at >= stale)
    )
    room = limit - int(ringing or 0)
    if room <= 0:
        return []
    chosen = (
        select(WorkItem.id)
        .where(*mine, or_(WorkItem.rung_at.is_(None), WorkItem.rung_at < stale))
        .order_by(WorkItem.id)
        .limit(room)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(
        update(WorkItem)
        .where(WorkItem.id.in_(chosen.scalar_subquery()))
        .values(rung_at=func.clock_timestamp())
        .returning(WorkItem.id, WorkItem.role)
    ).all()
    return sorted((row.id, row.role) for row in rows)
