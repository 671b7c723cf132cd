"""Which workers are there, on what, and what each is busy with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.ledger.workers import SILENT_SECONDS
from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker process. `state` is 'lost' where the heartbeat is too old; ages are in seconds.

    Memory is in bytes, as of its last heartbeat: resident, and on its CUDA devices (None without).

    `working_on` is the oldest item it holds, as 'run / iteration / phase'.
    """

    worker: str
    host: str
    pid: int
    roles: list[str]
    device: str
    state: str
    heartbeat_age: float
    up_seconds: float
    memory_bytes: int | None
    device_bytes: int | None
    working_on: str | None


_WORKERS = """
SELECT
    worker.name AS worker,
    worker.host,
    worker.pid,
    worker.roles,
    worker.device,
    CASE
        WHEN worker.state <> 'stopped' AND age.heartbeat > :silent THEN 'lost'
        ELSE worker.state
    END AS state,
    age.heartbeat AS heartbeat_age,
    age.up AS up_seconds,
    worker.memory_bytes,
    worker.device_bytes,
    held.working_on
FROM worker
CROSS JOIN LATERAL (
    SELECT
        extract(epoch FROM clock_timestamp() - worker.heartbeat_at)::double precision AS heartbeat,
        extract(epoch FROM worker.heartbeat_at - worker.started_at)::double precision AS up
) AS age
LEFT JOIN LATERAL (
    SELECT run.name || ' / ' || iteration.number || ' / ' || work_item.phase AS working_on
    FROM work_item
    JOIN iteration ON iteration.id = work_item.iteration_id
    JOIN run ON run.id = iteration.run_id
    WHERE work_item.worker_id = worker.id AND work_item.state = 'leased'
    ORDER BY work_item.started_at
    LIMIT 1
) AS held ON true
WHERE worker.state <> 'stopped' AND age.heartbeat <= :recent
ORDER BY age.heartbeat > :silent, worker.host, worker.name
"""


def list_workers(session: Session, *, recent_seconds: float = 3600) -> list[WorkerRow]:
    """Workers that have not stopped in good order and were heard of within `recent_seconds`."""
    return rows(session, WorkerRow, _WORKERS, silent=SILENT_SECONDS, recent=recent_seconds)
