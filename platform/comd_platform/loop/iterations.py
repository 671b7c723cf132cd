"""Starting the next iteration: what it continues, what its pool will grow from."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from comd_platform.config.run import RunConfig
from comd_platform.loop.context import cache_pool_ids
from comd_platform.method.seeds import content_seed
from comd_platform.method.selection import Candidate, balanced_selection, random_selection
from comd_platform.models import role_model
from comd_platform.runs import RunError, chain, run_config
from comd_platform.tables import Assessment, Instruction, Iteration, Pool, Run, Selection


class StudentCaughtUp(RunError):
    """Too little is difficult for another pool: the student has caught up, or memorised."""


def phases_of(config: RunConfig, number: int) -> tuple[str, ...]:
    """The phases of one iteration, in order; a baseline that reads no scores is spared the judge."""
    grow = ("augment", "accept") if number > 1 and config.method.selection != "none" else ()
    if config.method.needs_assessment:
        return (*grow, "label", "tune", "answer", "evaluate", "judge", "assess")
    return (*grow, "label", "tune", "evaluate")


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
    pool_id = _next_pool(session, run, config, parent, number) if parent else run.pool_id
    iteration = Iteration(
        run_id=run.id,
        number=number,
        parent_id=parent.id if parent else None,
        pool_id=pool_id,
        config=run.config,
        phase=phases_of(config, number)[0],
        teacher_model_id=role_model(session, config, "teacher"),
        assessor_model_id=role_model(session, config, "assessor"),
        augmentor_model_id=role_model(session, config, "augmentor"),
    )
    session.add(iteration)
    session.flush()
    return iteration


def _next_pool(
    session: Session, run: Run, config: RunConfig, parent: Iteration, number: int
) -> int:
    if config.method.selection == "none":
        return run.pool_id
    chosen = _select(session, config, parent, number)
    if len(chosen) < max(1, config.method.minimum_pool):
        raise StudentCaughtUp(
            f"iteration {parent.number} of run {run.name!r} leaves {len(chosen)} instructions to "
            f"grow from, fewer than {max(1, config.method.minimum_pool)}: the student has caught up",
            hint="Lower method.difficulty_threshold or method.minimum_pool, or stop here.",
        )
    pool = Pool(parent_id=parent.pool_id, origin="augmentation", source_iteration_id=parent.id)
    pool.config = config.method.model_dump(mode="json")
    session.add(pool)
    session.flush()
    session.execute(insert(Selection), [{"pool_id": pool.id, **row} for row in chosen])
    return pool.id


def _select(
    session: Session, config: RunConfig, parent: Iteration, number: int
) -> list[dict[str, object]]:
    """The sources of the next pool, as rows without the pool's id (section 3.3.3)."""
    seed = content_seed(config.seed, number, "select")
    method = config.method
    cap = None if method.max_new is None else round(method.max_new * method.oversample)
    if method.selection == "random":
        rows = session.execute(
            select(Instruction.id, Instruction.key).where(
                Instruction.id.in_(cache_pool_ids(parent.pool_id))
            )
        ).all()
        ids = {row.key: row.id for row in rows}
        return [
            {"instruction_id": ids[key], "band": "random", "score": None}
            for key in random_selection(list(ids), seed, cap)
        ]
    scored = session.execute(
        select(Instruction.id, Instruction.key, Assessment.difficulty)
        .join(Assessment, Assessment.instruction_id == Instruction.id)
        .where(Assessment.iteration_id == parent.id, Assessment.difficulty.is_not(None))
    ).all()
    if not scored:
        raise RunError(
            f"iteration {parent.number} holds no scores to select from",
            hint="Its run did not assess (method.selection); branch from one that did.",
        )
    by_key = {row.key: row for row in scored}
    candidates = [Candidate(row.key, row.difficulty) for row in scored]
    selected = balanced_selection(candidates, method.difficulty_threshold, seed, cap)
    return [
        {
            "instruction_id": by_key[source.key].id,
            "band": source.band,
            "score": by_key[source.key].difficulty,
        }
        for source in selected
    ]
