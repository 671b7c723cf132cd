"""Heartbeats: a thread with a connection of its own says that the worker lives and holds its lease."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sqlalchemy import URL, text
from sqlalchemy.exc import SQLAlchemyError

from comd_platform.db.engine import make_engine, transaction
from comd_platform.ledger import Claim, LeaseLost, beat, renew, session_name
from comd_platform.ledger.workers import BEAT_SECONDS
from comd_workers.perform.memory import device_bytes, resident_bytes

AT_MOST_EVERY_SECONDS = 1.0
"""However many items are claimed in that time: a fresh claim needs no renewal."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Hold:
    claim: Claim
    lease_seconds: float
    renewed_at: float


class Heartbeat:
    """Beats for as long as the process lives; `holding` also renews a claim's lease."""

    def __init__(self, url: URL, worker_id: int) -> None:
        self._engine = make_engine(url, pool_size=1, application_name=session_name(worker_id))
        self._worker_id = worker_id
        self._held: dict[uuid.UUID, _Hold] = {}
        self._lost: set[uuid.UUID] = set()
        self._beaten_at = -AT_MOST_EVERY_SECONDS
        self._due = time.monotonic() + BEAT_SECONDS
        self._stop = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop = True
        self._wake.set()
        self._thread.join()
        self._engine.dispose()

    def holding(self, claim: Claim, lease_seconds: float) -> None:
        """Renew this claim's lease with every beat from now on, the first of them within a second."""
        self._held[claim.token] = _Hold(claim, lease_seconds, time.monotonic())
        self._wake.set()

    def check(self, claim: Claim) -> None:
        """Raises LeaseLost where the claim is somebody else's by now.

        Asks the database itself after a silence as long as a lease: this process was frozen, or cut
        off. With the database away nobody can say, and the token decides in the end.
        """
        held = self._held.get(claim.token)
        if held is None:
            return
        if time.monotonic() - held.renewed_at > held.lease_seconds:
            try:
                self._beat()
            except SQLAlchemyError as error:
                log.warning("cannot ask whether the lease still holds: %s", error)
        if claim.token in self._lost:
            raise LeaseLost(f"work item {claim.item_id} was given to another worker")

    def released(self, claim: Claim) -> None:
        """The claim is closed; beats go on without it."""
        self._held.pop(claim.token, None)
        self._lost.discard(claim.token)

    def _run(self) -> None:
        while True:
            if self._wake.wait(max(0.0, self._due - time.monotonic())):
                self._wake.clear()
                soon = self._beaten_at + AT_MOST_EVERY_SECONDS
                self._due = min(self._due, soon, time.monotonic() + self._pause())
            if self._stop:
                return
            if time.monotonic() < self._due:
                continue  # items are short: the beat of the one before was a moment ago
            try:
                self._beat()
            except SQLAlchemyError as error:
                # The lease may run out meanwhile: then the item is somebody else's, and the token
                # keeps this worker from writing. Nothing else is to be done here.
                log.warning("heartbeat failed, trying again: %s", error)

    def _pause(self) -> float:
        held = list(self._held.values())
        return min([BEAT_SECONDS, *(hold.lease_seconds / 4 for hold in held)])

    def _beat(self) -> None:
        self._beaten_at = time.monotonic()
        self._due = self._beaten_at + self._pause()
        held = list(self._held.values())
        memory, device = resident_bytes(), device_bytes()
        with transaction(self._engine) as session:
            beat(
                session,
                self._worker_id,
                "busy" if held else "idle",
                memory_bytes=memory,
                device_bytes=device,
            )
        failed: list[SQLAlchemyError] = []
        for hold in held:
            try:
                self._renew(hold)
            except SQLAlchemyError as error:  # the other claim's lease is renewed all the same
                failed.append(error)
        if failed:
            raise failed[0]

    def _renew(self, hold: _Hold) -> None:
        # On its own: whoever does the item may be writing its results, and hold its row for a while.
        with transaction(self._engine) as session:
            session.execute(text("SET LOCAL lock_timeout = '1s'"))
            holds = renew(session, hold.claim, hold.lease_seconds)
        hold.renewed_at = time.monotonic()
        if not holds:
            self._lost.add(hold.claim.token)
