"""Failing: an item is tried again, then split, until the one record that does it stands alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.ledger.claims import Claim, LeaseLost
from comd_platform.tables import Failure, WorkItem

LOST_CLAIMS_PER_ATTEMPT = 5
"""A worker's death is seldom its item's fault, so a lost lease weighs less than a failure."""


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """One subject that could not be done, and why. `reason` is short and stable, `detail` is not."""

    subject_id: int
    reason: str
    detail: str


def fail(
    session: Session, held: Claim, error: str, *, item_attempts: int, fatal: bool = False
) -> None:
    """The whole item failed: back to pending, or settled when it failed too often.

    `fatal`: every further attempt would fail alike, so the phase ends here until `acknowledge`.

    Raises LeaseLost when the token no longer holds: whoever has the item now decides.
    """
    item = _held_item(session, held)
    item.failures += 1
    item.error = error
    if fatal:
        item.state, item.fatal = "failed", True
        item.token = item.lease_expires_at = None
        item.finished_at = func.clock_timestamp()
        return
    settle(session, item, give_up=item.failures >= item_attempts)


def lose(session: Session, held: Claim, error: str, *, item_attempts: int) -> None:
    """Something outside ended the work: as if the worker had died with it.

    Raises LeaseLost when the token no longer holds.
    """
    item = _held_item(session, held)
    item.error = error
    settle(session, item, give_up=lost_too_often(item, item_attempts))


def lost_too_often(item: WorkItem, item_attempts: int) -> bool:
    """Whether an item has taken so many workers along that it is its own fault."""
    return item.claims >= item_attempts * LOST_CLAIMS_PER_ATTEMPT


def _held_item(session: Session, held: Claim) -> WorkItem:
    item = session.scalar(
        select(WorkItem)
        .where(WorkItem.id == held.item_id, WorkItem.token == held.token)
        .with_for_update()
    )
    if item is None:
        raise LeaseLost(f"work item {held.item_id} was given to another worker")
    return item


def settle(session: Session, item: WorkItem, *, give_up: bool) -> None:
    """Open a leased item again or, when it is given up, split it or quarantine its one record."""
    item.token = None
    item.lease_expires_at = None
    item.rung_at = None
    if not give_up:
        item.state = "pending"
        return
    item.finished_at = func.clock_timestamp()
    if not item.subject_ids:
        item.state, item.fatal = "failed", True
        item.error = item.error or "its workers died, again and again"
        return
    if len(item.subject_ids) > 1:
        item.state = "split"
        middle = len(item.subject_ids) // 2
        for half in (item.subject_ids[:middle], item.subject_ids[middle:]):
            session.execute(
                insert(WorkItem).values(
                    iteration_id=item.iteration_id,
                    phase=item.phase,
                    role=item.role,
                    model_id=item.model_id,
                    evaluation_id=item.evaluation_id,
                    subject_ids=half,
                )
            )
        return
    item.state = "failed"
    for subject in item.subject_ids:
        failed = FailedRecord(subject, "work item failed", item.error or "its workers died")
        record_failures(session, item, [failed], record_attempts=1)


def record_failures(
    session: Session,
    item: Claim | WorkItem,
    failed: Iterable[FailedRecord],
    *,
    record_attempts: int,
) -> None:
    """Count one more failure of each record; quarantined once there are `record_attempts`."""
    for record in failed:
        of_item = item.evaluation_id is not None
        statement = upsert(Failure).values(
            iteration_id=item.iteration_id,
            phase=item.phase,
            evaluation_id=item.evaluation_id,
            evaluation_item_id=record.subject_id if of_item else None,
            instruction_id=None if of_item else record.subject_id,
            reason=record.reason,
            detail=record.detail,
            attempts=1,
            state="quarantined" if record_attempts <= 1 else "retrying",
        )
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[
                    "iteration_id",
                    "phase",
                    "instruction_id",
                    "evaluation_item_id",
                    "evaluation_id",
                ],
                set_={
                    "reason": statement.excluded.reason,
                    "detail": statement.excluded.detail,
                    "attempts": Failure.attempts + 1,
                    "state": case(
                        (Failure.attempts + 1 >= record_attempts, "quarantined"), else_="retrying"
                    ),
                    "updated_at": func.now(),
                },
            )
        )


def resolve_failures(session: Session, item: Claim, subjects: Iterable[int]) -> None:
    """What failed before and went well now is resolved, not deleted."""
    subjects = list(subjects)
    if not subjects:
        return
    column = Failure.evaluation_item_id if item.evaluation_id else Failure.instruction_id
    session.execute(
        update(Failure)
        .where(
            Failure.iteration_id == item.iteration_id,
            Failure.phase == item.phase,
            Failure.evaluation_id.is_not_distinct_from(item.evaluation_id),
            among(column, subjects),
            Failure.state != "resolved",
        )
        .values(state="resolved", updated_at=func.now())
        .execution_options(synchronize_session=False)
    )


def fatal_error(session: Session, iteration_id: int, phase: str) -> str | None:
    """What ended the phase, if something did."""
    return session.scalar(
        select(WorkItem.error)
        .where(WorkItem.iteration_id == iteration_id, WorkItem.phase == phase, WorkItem.fatal)
        .order_by(WorkItem.finished_at.desc())
        .limit(1)
    )


def acknowledge(session: Session, iteration_id: int, phase: str) -> None:
    """Somebody starts the phase again: what ended it before counts no more."""
    session.execute(
        update(WorkItem)
        .where(WorkItem.iteration_id == iteration_id, WorkItem.phase == phase, WorkItem.fatal)
        .values(fatal=False)
    )


def count_quarantined(session: Session, iteration_id: int, phase: str) -> int:
    """How many records a phase of an iteration has given up on."""
    count = session.scalar(
        select(func.count())
        .select_from(Failure)
        .where(
            Failure.iteration_id == iteration_id,
            Failure.phase == phase,
            Failure.state == "quarantined",
        )
    )
    return int(count or 0)


def forgive(session: Session, iteration_id: int, phase: str) -> int:
    """Quarantined records of the phase may be tried again; returns how many.

    Only of the phase where the iteration stands: a phase that is over has been built upon.
    """
    forgiven = session.scalars(
        update(Failure)
        .where(
            Failure.iteration_id == iteration_id,
            Failure.phase == phase,
            Failure.state == "quarantined",
        )
        .values(state="retrying", attempts=1, updated_at=func.now())
        .returning(Failure.id)
    ).all()
    return len(forgiven)
