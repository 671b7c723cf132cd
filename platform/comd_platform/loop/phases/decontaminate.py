"""Decontaminate: before the student is tuned, its instructions are compared with the benchmarks.

All of the cache pool is looked at: what the pool modes use again, and what the next pool grows from.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.images.store import ImageStore
from comd_platform.loop.context import Context
from comd_platform.loop.phases.evaluate import find_benchmark
from comd_platform.loop.port import Settled
from comd_platform.loop.tuning_set import tuning_set
from comd_platform.overlap import find_hits
from comd_platform.runs import RunError
from comd_platform.settings import get_settings

_RECORD = """
INSERT INTO contamination (
    iteration_id, instruction_id, benchmark_id, kind, item_id, items, distance, rouge_l, verdict)
SELECT
    :iteration_id, instruction_id, benchmark_id, kind, item_id, items, distance, rouge_l, verdict
FROM hit
"""

_COUNT = """
SELECT verdict, count(DISTINCT instruction_id) AS instructions
FROM contamination WHERE iteration_id = :iteration_id GROUP BY verdict
"""


def settle(session: Session, context: Context) -> Settled:
    """Record the overlaps, in the caller's transaction.

    Raises RunError where nothing would be left to tune on.
    """
    config = context.config
    benchmarks = [find_benchmark(session, name).id for name in config.evaluation.benchmarks]
    checked = find_hits(
        session,
        ImageStore(get_settings().image_root),
        pool_id=context.pool_id,
        benchmarks=benchmarks,
        config=config.decontamination,
    )
    given = {"iteration_id": context.iteration_id}
    session.execute(text(_RECORD), given)
    counts = {row.verdict: row.instructions for row in session.execute(text(_COUNT), given)}
    excluded = counts.get("excluded", 0)
    if excluded and not tuning_set(session, context):
        names = ", ".join(config.evaluation.benchmarks)
        raise RunError(
            f"iteration {context.number}: decontamination leaves nothing to tune on: {excluded} of "
            f"{checked.instructions} instructions overlap with {names}",
            hint=f"comd decontaminate {config.name} shows with what; decontamination.mode=report "
            "keeps them.",
        )
    note = f"{excluded} of {checked.instructions} kept out"
    if counts.get("reported"):
        note = f"{counts['reported']} of {checked.instructions} overlap, none kept out"
    if checked.unread:
        note += f"; {checked.unread} pictures could not be read and were not compared"
    return Settled(records=checked.instructions, note=note)
