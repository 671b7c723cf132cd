"""Playing the demo: data, one shared iteration, then three arms side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import yaml
from sqlalchemy import Engine

from comd_platform.config.load import parse_config
from comd_platform.db.engine import transaction
from comd_platform.evaluation.items import import_benchmark
from comd_platform.importers import import_file
from comd_platform.loop.port import Watcher
from comd_platform.runs import branch_run, create_run, find_run
from comd_platform.settings import Settings
from comd_tinyworld.data import balanced_test, seed_set, write_all
from comd_workers.demo.arms import (
    ARMS,
    BASELINES,
    BENCHMARK,
    COMPETITIVE,
    ITERATIONS,
    POOL,
    SEED_IMAGES,
    Arm,
    run_document,
)
from comd_workers.fleet import Fleet, finished_iterations
from comd_workers.workforce import Workforce

WORKERS = 2


class Demo:
    """One play, under a run name of its own; played again it finds its rows and is done at once."""

    def __init__(self, engine: Engine, settings: Settings, *, seed: int) -> None:
        self.name = f"demo-{seed}"
        self._engine = engine
        self._settings = settings
        self._seed = seed
        self.folder = settings.home / "demo"

    def arm(self, arm: Arm) -> str:
        return arm.name(self.name)

    def import_data(self) -> tuple[int, int]:
        """Write tinyworld as a user would have it, and import it; (instructions, test questions)."""
        data = self.folder / "data"
        if not (data / "seed.json").exists():
            write_all(
                data, seed=seed_set(SEED_IMAGES, SEED_IMAGES), test=balanced_test("test-demo")
            )
        images = data / "images"
        seed = import_file(
            self._engine, self._settings, path=data / "seed.json", images=images, pool=POOL
        )
        test = import_benchmark(
            self._engine,
            self._settings,
            path=data / "test.jsonl",
            images=images,
            name=BENCHMARK,
        )
        return seed.instructions_new + seed.instructions_known, test.items

    def create(self) -> Path:
        """Make the competitive run; returns the config file, for the user to start from."""
        document = run_document(self.name, self._seed)
        path = self.folder / f"{self.name}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        with transaction(self._engine) as session:
            create_run(session, parse_config(document, origin=str(path)))
        return path

    def play(self, watch: Callable[[str], Watcher], stop: threading.Event) -> None:
        """Iteration 1 once, then all arms at the same time on the same two workers."""
        if self._played():
            return
        # Teacher and student both stay loaded: they are small.
        with Workforce(self._settings, local=WORKERS, max_loaded=2) as workforce:
            fleet = Fleet(self._engine, self._settings, workforce, watch, stop)
            fleet.drive([self.arm(COMPETITIVE)], 1)
            with transaction(self._engine) as session:
                base = find_run(session, self.arm(COMPETITIVE))
                for arm in BASELINES:
                    branch_run(session, base, name=self.arm(arm), at=1, overrides=arm.overrides)
            # A student who has caught up ends its arm early; the others go on, and the table tells.
            fleet.drive([self.arm(arm) for arm in ARMS])

    def _played(self) -> bool:
        return all(finished_iterations(self._engine, self.arm(arm)) == ITERATIONS for arm in ARMS)
