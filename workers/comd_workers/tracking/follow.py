"""From the rows to a tracker: what it lacks, and, while a run goes on, what comes."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine

from comd_platform.db.engine import transaction
from comd_platform.reports.tracking import Point, iteration_points, training_points
from comd_workers.tracking.port import Tracker


class Follower:
    """Remembers what it told; `tell` hands on what is new."""

    def __init__(self, engine: Engine, run_id: int, tracker: Tracker) -> None:
        self._engine = engine
        self._run_id = run_id
        self._tracker = tracker
        self._step = self._ended = tracker.seen()

    def tell(self) -> int:
        """Hand on what is new, by ascending step; returns how many points."""
        count = 0
        for point in self._new():
            self._tracker.log(point.step, point.values)
            count += 1
        return count

    def _new(self) -> Iterator[Point]:
        with transaction(self._engine) as session:
            steps = training_points(session, self._run_id, after=self._step)
            ends = [
                point
                for point in iteration_points(session, self._run_id)
                if point.step > self._ended
            ]
        # An iteration is assessed after its training was told: its values then stand at the last step.
        yield from sorted([*steps, *ends], key=lambda point: point.step)
        self._step = max([self._step, *(point.step for point in steps)])
        self._ended = max([self._ended, *(point.step for point in ends)])
