"""Who drives a run, and how its work items fare: what was lost, tried again, split, and is waiting."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.loop.lock import driver_of
from comd_platform.reports.query import rows
from comd_platform.tables import Run


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Work items of a run's own iterations.

    `overdue` are held by a worker whose lease has run out, and not yet given to another;
    `taken_over` have been, at some time (a worker died, or was cut off); `tried_again` have failed
    as a whole and were put back; `split` so often that they were halved; `failed` are given up;
    `fatal` stand in the way of their phase until somebody has mended the cause, `error` says which.
    """

    items: int
    pending: int
    leased: int
    overdue: int
    taken_over: int
    tried_again: int
    split: int
    failed: int
    fatal: int
    error: str | None


_LEDGER = """
SELECT
    count(*) AS items,
    count(*) FILTER (WHERE work_item.state = 'pending') AS pending,
    count(*) FILTER (WHERE work_item.state = 'leased') AS leased,
    count(*) FILTER (WHERE work_item.state = 'leased' AND lease_expires_at < clock_timestamp())
        AS overdue,
    count(*) FILTER (
        WHERE claims - failures > CASE WHEN work_item.state IN ('leased', 'done') THEN 1 ELSE 0 END
    ) AS taken_over,
    count(*) FILTER (WHERE failures > 0) AS tried_again,
    count(*) FILTER (WHERE work_item.state = 'split') AS split,
    count(*) FILTER (WHERE work_item.state = 'failed') AS failed,
    count(*) FILTER (WHERE work_item.state = 'failed' AND fatal) AS fatal,
    max(error) FILTER (WHERE work_item.state = 'failed' AND fatal) AS error
FROM work_item
JOIN iteration ON iteration.id = work_item.iteration_id
WHERE iteration.run_id = :run_id
"""


def run_ledger(session: Session, run_id: int) -> LedgerRow:
    """The counts over every phase so far; all 0 where nothing has been planned."""
    return rows(session, LedgerRow, _LEDGER, run_id=run_id)[0]


def run_driver(session: Session, run_id: int) -> str | None:
    """Who drives a run, as host:pid; None when nobody does."""
    run = session.get(Run, run_id)
    return None if run is None else driver_of(session, run)
