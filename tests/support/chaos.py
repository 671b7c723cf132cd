"""An attack: a seeded order of faults against one run, and how long each took to get over."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from chaos_faults import KINDS, At
from chaos_target import PATIENCE_SECONDS, Hung, Target


def _taken_at(to: Target, point: str) -> float:
    """When somebody came to a fault point: the clock at which the planted file was renamed."""
    [taken] = to.faults.glob(f".taken.{point}.*")
    when = taken.stat().st_ctime
    taken.unlink()
    return when


@dataclass
class Inflicted:
    """One fault, and the seconds until the run got on again, nothing held by the dead."""

    kind: str
    how: str
    recovered: float


@dataclass
class Attack:
    """A seeded order of faults; each comes as soon as the run has got on since the one before.

    at_once: how many fault points may be planted at the same time.
    """

    quota: dict[str, int]
    seed: int
    at_once: int = 3
    done: list[Inflicted] = field(default_factory=list)

    def on(self, to: Target) -> bool:
        """Until the quota is used up or the run has ended; True where it was used up."""
        dice = random.Random(self.seed)
        waiting = [kind for kind, count in self.quota.items() for _ in range(count)]
        dice.shuffle(waiting)
        turns = dict.fromkeys(KINDS, 0)
        planted: dict[str, str] = {}
        while (waiting or planted) and not to.keep_driven():
            for point in [each for each in planted if not (to.faults / each).exists()]:
                hit = time.monotonic() - (time.time() - _taken_at(to, point))
                self._record(to, planted.pop(point), f"at {point}", hit)
            time.sleep(0.05)
            if not waiting:
                continue
            kind = waiting.pop(0)
            way = KINDS[kind][turns[kind] % len(KINDS[kind])]
            turns[kind] += 1
            if isinstance(way, At):
                if way.point in planted or len(planted) >= self.at_once:
                    waiting.append(kind)
                    continue
                planted[way.point] = kind
                (to.faults / way.point).write_text("kill")
                continue
            hit = time.monotonic()
            how = way(to, dice)
            if how is None:  # nothing to do it to just now: another kind first
                waiting.append(kind)
                continue
            self._record(to, kind, how, hit)
        for point in planted:
            (to.faults / point).unlink(missing_ok=True)
        return not waiting and not planted

    def _record(self, to: Target, kind: str, how: str, hit: float) -> None:
        seen = to.progress()
        to.wait_for(lambda: to.progress() != seen and to.sound(), f"progress after {kind} {how}")
        self.done.append(Inflicted(kind, how, time.monotonic() - hit))
        told = f"seed {self.seed}, fault {len(self.done)}: {kind}, {how}"
        print(f"{told}: {self.done[-1].recovered:.1f} s", flush=True)

    def finish(self, to: Target) -> None:
        """Wait for the run's good end. Raises Hung."""
        seen, since = to.progress(), time.monotonic()
        while not to.keep_driven():
            now = to.progress()
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise Hung(f"the run stopped getting on:\n{to.tail()}")
            time.sleep(0.2)
