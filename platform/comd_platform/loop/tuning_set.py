"""Which instructions an iteration tunes on, and why each is among them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.loop.context import Context, cache_pool_ids, kept_out
from comd_platform.method.seeds import rank_key
from comd_platform.tables import Instruction


def tuning_set(session: Session, context: Context) -> dict[int, str]:
    """Instruction id -> reason, by `pools.mode`; without what is kept out of the training.

    replace: what was born in the iteration's pool (the paper). accumulate: all of the cache pool.
    replay: the new ones and a seeded share of the older ones.
    """
    clean = ~kept_out(context.iteration_id)
    born = session.scalars(
        select(Instruction.id).where(Instruction.pool_id == context.pool_id, clean)
    )
    result = dict.fromkeys(born, "tuning_pool")
    if context.config.pools.mode == "replace":
        return result
    older = session.execute(
        select(Instruction.id, Instruction.key).where(
            Instruction.id.in_(cache_pool_ids(context.pool_id)),
            Instruction.pool_id != context.pool_id,
            clean,
        )
    ).all()
    if context.config.pools.mode == "accumulate":
        return result | dict.fromkeys((row.id for row in older), "accumulated")
    seed = context.seed("replay")
    ranked = sorted(older, key=lambda row: rank_key(seed, row.key))
    kept = ranked[: round(len(ranked) * context.config.pools.replay_share)]
    return result | dict.fromkeys((row.id for row in kept), "replayed")
