"""Starting the next iteration: what it continues, what its pool will grow from."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.orm import Session

from comd_platform.config.run import RunConfig
from comd_platform.loop.bootstrap import first_pool
from comd_platform.loop.order import phases_of
from comd_platform.loop.sources import choose_sources
from comd_platform.review.honouring import revise
from comd_platform.runs import begin_iteration, chain, run_config
from comd_platform.tables import Iteration, Pool, Run, Selection


def next_iteration(session: Session, run: Run) -> Iteration:
    """The unfinished iteration of a run, or a new one after its last.

    Raises StudentCaughtUp where the parent's assessment leaves too little to grow from.
    """
    done = chain(session, run)
    if done and done[-1].phase != "done":
        return done[-1]
    config = run_config(run)
    parent = done[-1] if done else None
    number = parent.number + 1 if parent else 1
    if parent is not None:
        pool_id = _next_pool(session, run, config, parent, number)
    elif config.bootstrap is not None:
        pool_id = first_pool(session, run, config.bootstrap)
    else:
        pool_id = run.pool_id
    return begin_iteration(
        session,
        run,
        number,
        parent.id if parent else None,
        pool_id,
        phases_of(config, number)[0],
    )


def _next_pool(
    session: Session, run: Run, config: RunConfig, parent: Iteration, number: int
) -> int:
    if config.method.measure.select is None:
        return chain(session, run)[0].pool_id
    chosen = choose_sources(session, config, parent, number)
    pool = Pool(parent_id=parent.pool_id, origin="augmentation", source_iteration_id=parent.id)
    pool.config = config.method.model_dump(mode="json")
    session.add(pool)
    session.flush()
    session.execute(
        insert(Selection),
        [
            {"pool_id": pool.id, "instruction_id": row_id, "band": each.band, "score": each.score}
            for row_id, each in chosen
        ],
    )
    revise(session, pool)
    return pool.id
