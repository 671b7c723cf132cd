"""Playing the evidence: data, one first iteration a seed, then every arm as a branch of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Engine

from comd_platform.config.load import parse_config
from comd_platform.db.engine import transaction
from comd_platform.evaluation.items import import_benchmark
from comd_platform.importers import import_file
from comd_platform.loop.port import Watcher
from comd_platform.runs import branch_run, create_run, find_run
from comd_platform.settings import Settings
from comd_tinyworld.data import balanced_test, natural_test, seed_set, write_all
from comd_tinyworld.scenes import Split
from comd_workers.demo.arms import POOL
from comd_workers.evidence.arms import BASE, Arm, document
from comd_workers.fleet import Fleet
from comd_workers.workforce import Workforce

WORKERS = 3
BALANCED, NATURAL = "balanced", "natural"
EACH, LOOK, NATURAL_ASKED = 3, 300, 1_500


class Evidence:
    """One play over some seeds; played again it finds its rows and goes on."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        *,
        split: Split,
        seeds: Sequence[int],
        arms: Sequence[Arm],
        changes: Sequence[str] = (),
        base: Arm = BASE,
    ) -> None:
        """`changes` go over every arm's config (a rehearsal with fewer steps, say); the other arms
        are branches of `base`'s first iteration."""
        self.split: Split = split
        self.seeds = tuple(seeds)
        self.arms = tuple(arms)
        self._changes = tuple(changes)
        self._base = base
        self._engine = engine
        self._settings = settings

    def run_name(self, seed: int, arm: Arm) -> str:
        return f"{self.split}-{seed}-{arm.name}"

    def benchmark(self, kind: str) -> str:
        return f"{self.split}-{kind}"

    @property
    def folder(self) -> Path:
        return self._settings.home / "evidence" / self.split

    def import_data(self) -> None:
        """Tinyworld's seed set, and two held-out tests of the split: balanced and natural."""
        if not (self.folder / "natural.jsonl").exists():
            write_all(
                self.folder,
                seed=seed_set(),
                test=balanced_test(self.split, EACH, LOOK),
                natural=natural_test(self.split, NATURAL_ASKED),
            )
        images = self.folder / "images"
        import_file(
            self._engine, self._settings, path=self.folder / "seed.json", images=images, pool=POOL
        )
        for kind, file in ((BALANCED, "test.jsonl"), (NATURAL, "natural.jsonl")):
            import_benchmark(
                self._engine,
                self._settings,
                path=self.folder / file,
                images=images,
                name=self.benchmark(kind),
            )

    def play(self, watch: Callable[[str], Watcher], stop: threading.Event) -> dict[str, str]:
        """First iterations, then all arms seed by seed; returns which arms ended early, and why."""
        bases = {seed: self.run_name(seed, self._base) for seed in self.seeds}
        names = (self.benchmark(BALANCED), self.benchmark(NATURAL))
        with transaction(self._engine) as session:
            for seed, name in bases.items():
                config = parse_config(document(name, seed, names), self._changes, origin=name)
                create_run(session, config)
        with Workforce(self._settings, local=WORKERS, max_loaded=4) as workforce:
            fleet = Fleet(self._engine, self._settings, workforce, watch, stop)
            fleet.drive(list(bases.values()), 1)
            with transaction(self._engine) as session:
                for seed, name in bases.items():
                    base = find_run(session, name)
                    for arm in self.arms:
                        if arm is not self._base:
                            branch_run(
                                session,
                                base,
                                name=self.run_name(seed, arm),
                                at=1,
                                overrides=arm.overrides,
                            )
            return fleet.drive(
                [self.run_name(seed, arm) for seed in self.seeds for arm in self.arms]
            )
