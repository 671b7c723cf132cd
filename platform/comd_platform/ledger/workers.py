"""Who is there: workers say so every few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.tables import Worker, WorkItem

BEAT_SECONDS = 5.0
SILENT_SECONDS = 20.0
SESSION_PREFIX = "comd worker "


def register_worker(
    session: Session, *, name: str, host: str, pid: int, roles: Sequence[str], device: str
) -> int:
    """A worker's row, made or taken over by name; returns its id."""
    values = {
        "name": name,
        "host": host,
        "pid": pid,
        "roles": list(roles),
        "device": device,
        "state": "idle",
        "heartbeat_at": func.clock_timestamp(),
    }
    statement = insert(Worker).values(values)
    worker_id: int = session.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={**values, "started_at": func.clock_timestamp()}
        ).returning(Worker.id)
    ).scalar_one()
    return worker_id


def session_name(worker_id: int) -> str:
    """The application_name of a worker's database sessions, by which the sweeper finds them."""
    return f"{SESSION_PREFIX}{worker_id}"


def beat(
    session: Session,
    worker_id: int,
    state: str,
    *,
    memory_bytes: int | None = None,
    device_bytes: int | None = None,
) -> None:
    """The worker lives, is `idle` or `busy`, and holds so much memory."""
    session.execute(
        update(Worker)
        .where(Worker.id == worker_id)
        .values(
            state=state,
            heartbeat_at=func.clock_timestamp(),
            memory_bytes=memory_bytes,
            device_bytes=device_bytes,
        )
    )


def retire_worker(session: Session, worker_id: int) -> None:
    """The worker has stopped in good order."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(state="stopped"))


def alive_workers(session: Session, role: str | None = None) -> list[Worker]:
    """Workers heard of lately, for one role or for any."""
    statement = select(Worker).where(
        Worker.state != "stopped",
        Worker.heartbeat_at > func.clock_timestamp() - timedelta(seconds=SILENT_SECONDS),
    )
    if role is not None:
        statement = statement.where(Worker.roles.contains([role]))
    return list(session.scalars(statement.order_by(Worker.id)))


def done_within(session: Session, seconds: float) -> bool:
    """Whether some work item, of any run, was done in the last so many seconds."""
    since = func.clock_timestamp() - timedelta(seconds=seconds)
    statement = select(exists().where(WorkItem.state == "done", WorkItem.finished_at > since))
    return bool(session.scalar(statement))
