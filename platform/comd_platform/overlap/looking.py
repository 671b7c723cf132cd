"""Looking without a loop: a run's overlaps as recorded or as they would be, and pools by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.config.run import RunConfig
from comd_platform.errors import ComdError
from comd_platform.images.store import ImageStore
from comd_platform.loop.phases.evaluate import find_benchmark
from comd_platform.overlap.hits import find_hits
from comd_platform.reports import decontamination as report
from comd_platform.runs import RunError, chain, find_run, run_config
from comd_platform.settings import Settings
from comd_platform.tables import Iteration, Pool, Run


@dataclass(frozen=True, slots=True)
class Seen:
    """One iteration's overlaps; `recorded` is false where the comparison was made just now."""

    run: str
    iteration: int
    recorded: bool
    mode: str
    benchmarks: list[str]
    checked: int
    counts: list[report.OverlapCount]
    overlaps: list[report.Overlap]


@dataclass(frozen=True, slots=True)
class NamedPool:
    """A pool's id, and what to call it."""

    id: int
    title: str


def overlap_of_run(
    session: Session,
    settings: Settings,
    name: str,
    *,
    iteration: int | None = None,
    benchmarks: Sequence[str] = (),
    limit: int | None = None,
) -> Seen:
    """What an iteration (the last one checked, unless named) recorded.

    With `benchmarks`, or where nothing is recorded yet, its pool is compared now: with the run's own
    settings, and nothing is kept but the pictures' hashes. Raises RunError: no such run or iteration,
    no benchmark to compare with.
    """
    run = find_run(session, name)
    config = run_config(run)
    checked = {row.iteration: row for row in report.kept_out(session, run.id)}
    wanted = iteration or max(checked, default=0)
    if benchmarks or wanted not in checked:
        return _look(session, settings, run, config, iteration, benchmarks, limit)
    return Seen(
        run=name,
        iteration=wanted,
        recorded=True,
        mode=config.decontamination.mode,
        benchmarks=list(config.evaluation.benchmarks),
        checked=checked[wanted].checked,
        counts=[c for c in report.overlap_counts(session, run.id) if c.iteration == wanted],
        overlaps=report.overlaps(session, run.id, wanted, limit),
    )


def pool_of(session: Session, name: str, iteration: int | None = None) -> NamedPool:
    """The cache pool of a run's iteration (the last, unless named), or the pool called `name`.

    A run goes first. Raises ComdError naming what there is.
    """
    run = session.scalar(select(Run).where(Run.name == name))
    if run is not None:
        pool_id, number = _pool_of_run(session, run, iteration)
        return NamedPool(pool_id, f"run {name}, cache pool of iteration {number}")
    pool = session.scalar(select(Pool).where(Pool.name == name))
    if pool is None:
        runs = session.scalars(select(Run.name).order_by(Run.id.desc()).limit(10)).all()
        pools = session.scalars(select(Pool.name).where(Pool.name.is_not(None))).all()
        raise ComdError(
            f"neither a run nor a pool is named {name!r}",
            hint=f"Runs: {', '.join(runs) or 'none yet'}. "
            f"Pools: {', '.join(map(str, pools)) or 'none yet'}.",
        )
    if iteration is not None:
        raise ComdError(
            f"{name!r} is a pool, and a pool has no iterations", hint="Leave out --iteration."
        )
    return NamedPool(pool.id, f"pool {name}")


def _pool_of_run(session: Session, run: Run, iteration: int | None) -> tuple[int, int]:
    """(pool, number) of an iteration; the seed pool where none has begun."""
    found = chain(session, run)
    if iteration is None:
        return (found[-1].pool_id, found[-1].number) if found else (run.pool_id, 1)
    last: Iteration | None = next((each for each in found if each.number == iteration), None)
    if last is None:
        raise RunError(
            f"run {run.name!r} has no iteration {iteration} (it has {len(found)})",
            hint="Leave out --iteration for the last.",
        )
    return last.pool_id, last.number


def _look(
    session: Session,
    settings: Settings,
    run: Run,
    config: RunConfig,
    iteration: int | None,
    benchmarks: Sequence[str],
    limit: int | None,
) -> Seen:
    names = list(benchmarks or config.evaluation.benchmarks)
    if not names:
        raise RunError(
            f"run {run.name!r} has no benchmark to compare with",
            hint="Its config names them in evaluation.benchmarks; here: --benchmark NAME.",
        )
    pool_id, number = _pool_of_run(session, run, iteration)
    checked = find_hits(
        session,
        ImageStore(settings.image_root),
        pool_id=pool_id,
        benchmarks=[find_benchmark(session, name).id for name in names],
        config=config.decontamination,
    )
    return Seen(
        run=run.name,
        iteration=number,
        recorded=False,
        mode=config.decontamination.mode,
        benchmarks=names,
        checked=checked.instructions,
        counts=report.found_counts(session, number),
        overlaps=report.found_overlaps(session, number, limit),
    )
