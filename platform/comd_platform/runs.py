"""Runs and branches: making them, finding them, and the chain of iterations they stand on."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import column, exists, select, table
from sqlalchemy.orm import Session

from comd_platform.config.differences import differing
from comd_platform.config.load import parse_config
from comd_platform.config.run import RunConfig
from comd_platform.errors import ComdError
from comd_platform.loop.order import phases_on_a_pool
from comd_platform.loop.sharing import first_touched
from comd_platform.models import bootstrap_model, role_model
from comd_platform.tables import Iteration, Pool, PoolImage, Run

_ANOTHER_NAME = "Choose another name."


class RunError(ComdError):
    """A run that does not exist, cannot be made, or cannot go on."""


def create_run(session: Session, config: RunConfig) -> Run:
    """A new run from an imported pool. Raises RunError: name taken, no such pool, pictures missing.

    Making the same run again from the same config gives the one that stands.
    """
    document = config.model_dump(mode="json")
    standing = session.scalar(select(Run).where(Run.name == config.name))
    if standing is not None:
        if run_config(standing) == config:
            return standing
        raise RunError(
            f"a run named {config.name!r} exists with {_other_settings(standing, config)}",
            hint="Choose another name, or branch: comd run branch",
        )
    pool = _root_pool(session, config)
    run = Run(name=config.name, seed=config.seed, pool_id=pool.id, config=document)
    session.add(run)
    session.flush()
    return run


def branch_run(
    session: Session, base: Run, *, name: str, at: int, overrides: Iterable[str] = ()
) -> Run:
    """A run that shares `base`'s iterations up to `at` and goes on with other settings.

    Where the settings touch iteration `at` itself, the branch makes that one again on the same pool,
    of all rows that still hold (`loop.sharing`). Raises RunError when that iteration is not
    finished, or the name is taken by something else.
    """
    shared = next((found for found in chain(session, base) if found.number == at), None)
    if shared is None or shared.phase != "done":
        raise RunError(
            f"run {base.name!r} has no finished iteration {at} to branch from",
            hint=f"Run: comd iterate {base.name}",
        )
    config = parse_config(base.config | {"name": name}, overrides, origin=f"branch of {base.name}")
    document = config.model_dump(mode="json")
    made = parse_config(shared.config, origin=f"the config of iteration {shared.number}")
    again = first_touched(made, config) is not None
    base_iteration_id = shared.parent_id if again else shared.id
    standing = session.scalar(select(Run).where(Run.name == name))
    if standing is not None:
        if standing.base_iteration_id != base_iteration_id:
            raise RunError(f"a run named {name!r} exists on another base", hint=_ANOTHER_NAME)
        if run_config(standing) == config:
            return standing
        raise RunError(
            f"a run named {name!r} exists with {_other_settings(standing, config)}",
            hint=_ANOTHER_NAME,
        )
    if config.pool != base.config["pool"]:
        raise RunError("a branch shares the seed pool of its base; --set pool=… cannot change it")
    if config.bootstrap != run_config(base).bootstrap:
        raise RunError("a branch shares the seed pool of its base, and so how that was written")
    run = Run(
        name=name,
        seed=config.seed,
        pool_id=base.pool_id,
        parent_id=base.id,
        base_iteration_id=base_iteration_id,
        config=document,
    )
    session.add(run)
    session.flush()
    if again:
        first = phases_on_a_pool(config, shared.number)[0]
        begin_iteration(session, run, shared.number, shared.parent_id, shared.pool_id, first)
    return run


def begin_iteration(
    session: Session, run: Run, number: int, parent_id: int | None, pool_id: int, phase: str
) -> Iteration:
    """A new iteration of a run, standing at `phase`; its roles are those of the run's config."""
    config = run_config(run)
    iteration = Iteration(
        run_id=run.id,
        number=number,
        parent_id=parent_id,
        pool_id=pool_id,
        config=run.config,
        phase=phase,
        teacher_model_id=role_model(session, config, "teacher"),
        assessor_model_id=role_model(session, config, "assessor"),
        augmentor_model_id=bootstrap_model(session, config, config.bootstrap)
        if number == 1 and config.bootstrap is not None
        else role_model(session, config, "augmentor"),
    )
    session.add(iteration)
    session.flush()
    return iteration


def find_run(session: Session, name: str) -> Run:
    """A run by name. Raises RunError naming those that exist."""
    run = session.scalar(select(Run).where(Run.name == name))
    if run is None:
        names = session.scalars(select(Run.name).order_by(Run.id.desc()).limit(10)).all()
        known = ", ".join(names) if names else "none yet"
        raise RunError(f"no run named {name!r} (there are: {known})", hint="comd run create CONFIG")
    return run


def run_config(run: Run) -> RunConfig:
    """The run's config as it was checked when the run was made."""
    return parse_config(run.config, origin=f"the config of run {run.name}")


def _other_settings(standing: Run, config: RunConfig) -> str:
    """How a run's config differs from `config`, in words: the first few settings, both values."""
    found = differing([standing.config, config.model_dump(mode="json")])
    told = [f"{key}: {there!r}, not {here!r}" for key, (there, here) in found.items()]
    more = f" and {len(told) - 4} more" if len(told) > 4 else ""
    return f"other settings ({'; '.join(told[:4])}{more})"


def chain(session: Session, run: Run) -> list[Iteration]:
    """The run's iterations in order, those shared with its base included."""
    view = table("run_iteration", column("run_id"), column("iteration_id"))
    return list(
        session.scalars(
            select(Iteration)
            .join(view, Iteration.id == view.c.iteration_id)
            .where(view.c.run_id == run.id)
            .order_by(Iteration.number)
        )
    )


def _root_pool(session: Session, config: RunConfig) -> Pool:
    from comd_platform.importers import missing_images  # with every format: slow to load

    name = config.pool
    pool = session.scalar(select(Pool).where(Pool.name == name))
    if pool is None:
        names = session.scalars(select(Pool.name).where(Pool.name.is_not(None))).all()
        known = ", ".join(str(found) for found in names) if names else "none yet"
        raise RunError(
            f"no pool named {name!r} (there are: {known})",
            hint="Import one: comd import llava FILE --images DIR",
        )
    _require_kind(session, pool, config)
    waiting = missing_images(session, pool.id)
    if waiting.images:
        raise RunError(
            f"pool {name!r} waits for {waiting.images} pictures: {', '.join(waiting.first)}",
            hint="Bring them: comd import images DIR",
        )
    return pool


def _require_kind(session: Session, pool: Pool, config: RunConfig) -> None:
    """A pool of pictures needs `bootstrap`, one of instructions has no use for it."""
    pictures = session.scalar(select(exists().where(PoolImage.pool_id == pool.id)))
    if pictures and config.bootstrap is None:
        raise RunError(
            f"pool {pool.name!r} holds pictures and no instructions",
            hint="Let the augmentor write them: bootstrap: {} in the config "
            "(examples/images-only.yaml).",
        )
    if config.bootstrap is not None and not pictures:
        raise RunError(
            f"pool {pool.name!r} holds instructions, so there is nothing to bootstrap",
            hint="Drop `bootstrap`, or name a pool of pictures: comd import images-folder DIR",
        )
