"""Playing an ablation: a first part a seed, then every variant as a branch of it, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from comd_platform.ablation.grid import Variant
from comd_platform.ablation.results import Played
from comd_platform.config.load import parse_config
from comd_platform.db.engine import transaction
from comd_platform.runs import branch_run, create_run, find_run, run_config
from comd_platform.tables import Run
from comd_workers.checks.white_box import require_teachable
from comd_workers.fleet import Fleet


class Ablation:
    """A run's variants over seeds. Played again it finds its branches and goes on with them."""

    def __init__(self, run: str, variants: Sequence[Variant], *, seeds: int, at: int) -> None:
        self._run = run
        self._variants = tuple(variants)
        self._seeds = seeds
        self._at = at

    def bases(self, session: Session) -> dict[int, Run]:
        """The run that each seed's variants branch from: the given one, and its like with other seeds.

        The others are made where they do not stand. Raises RunError.
        """
        run = find_run(session, self._run)
        found = {run.seed: run}
        for seed in range(run.seed + 1, run.seed + self._seeds):
            config = parse_config(run.config | {"name": f"{self._run}-s{seed}", "seed": seed})
            found[seed] = create_run(session, config)
        return found

    def branches(self, session: Session) -> list[Played]:
        """Every variant of every seed, made where it does not stand.

        A variant that is what its base is already is the base: nothing is run twice.
        """
        played = []
        for seed, base in self.bases(session).items():
            for variant in self._variants:
                changed = parse_config(base.config, variant.overrides, origin="--vary")
                run = base
                if changed != run_config(base):
                    run = branch_run(
                        session,
                        base,
                        name=variant.run_name(self._run, seed),
                        at=self._at,
                        overrides=variant.overrides,
                    )
                    require_teachable(changed)
                played.append(Played(variant.title, seed, run.name))
        return played

    def baseline(self, session: Session) -> str:
        """The title of the variant that others are compared with: the run's own, or else the first.

        Raises ConfigError where any variant is no config.
        """
        run = find_run(session, self._run)
        configs = [
            parse_config(run.config, each.overrides, origin=f"{self._run} with {each.title}")
            for each in self._variants
        ]
        own = [
            variant.title
            for variant, config in zip(self._variants, configs, strict=True)
            if config == run_config(run)
        ]
        return next(iter(own), self._variants[0].title)

    def play(
        self, engine: Engine, fleet: Fleet, *, side_by_side: int = 4
    ) -> tuple[list[Played], dict[str, str]]:
        """Drive everything to its end; returns what was played, and which runs ended early and why."""
        with transaction(engine) as session:
            names = [run.name for run in self.bases(session).values()]
        ended = fleet.drive(names, self._at, side_by_side=side_by_side)
        with transaction(engine) as session:
            played = self.branches(session)
        runs = list(dict.fromkeys(each.run for each in played))
        return played, ended | fleet.drive(runs, side_by_side=side_by_side)
