"""Workers without processes: the real handlers, called where the driver would ring a bell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL

from comd_platform.db.engine import make_engine, transaction
from comd_platform.ledger import register_worker
from comd_platform.settings import Settings
from comd_platform.tables import ROLES
from comd_workers.engines.cache import EngineCache
from comd_workers.perform import Performer, performing
from comd_workers.perform.heartbeat import Heartbeat


class InlineWorkforce:
    """Does an item when it is rung."""

    def __init__(self, performer: Performer) -> None:
        self._performer = performer
        self.rung: list[tuple[int, str]] = []

    def ring(self, item_id: int, role: str) -> None:
        self.rung.append((item_id, role))
        self._performer.perform(item_id)

    def tend(self) -> None:
        pass


@contextmanager
def inline_workforce(url: URL, settings: Settings) -> Iterator[InlineWorkforce]:
    database = make_engine(url)
    try:
        with transaction(database) as session:
            worker_id = register_worker(
                session, name="inline", host="here", pid=1, roles=ROLES, device="cpu"
            )
        with (
            EngineCache(2) as engines,
            Heartbeat(url, worker_id) as heartbeat,
            performing(database, settings, engines, heartbeat, worker_id) as performer,
        ):
            yield InlineWorkforce(performer)
    finally:
        database.dispose()
