"""Accept: candidates are walked per image in a stable order and kept where new (section 3.3.3).

It runs after all candidates are there, so the outcome does not depend on who finished first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from sqlalchemy import Row, exists, func, insert, select, update
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.keys import child_key
from comd_platform.loop.collapse import StudentCaughtUp
from comd_platform.loop.context import Context, cache_pool_ids
from comd_platform.loop.port import Settled
from comd_platform.method.diversity import Group, Verdict, accept_all
from comd_platform.method.seeds import rank_key
from comd_platform.method.text_only import TextOnlyIndex
from comd_platform.runs import RunError
from comd_platform.tables import Augmentation, Instruction, Revision, Selection

OVER_BUDGET = "over budget"
NOT_DIVERSE = "not diverse"


# id, text, source_instruction_id, key, image_id, task_type
_Source: TypeAlias = Row[int, str | None, int, str, int | None, str]


@dataclass(frozen=True, slots=True)
class _Walked:
    """A candidate, the key its child would have, and what became of it; None past the budget."""

    candidate: _Source
    key: str
    verdict: Verdict | None


def settle(session: Session, context: Context) -> Settled:
    """Decide every candidate of the pool in the caller's transaction.

    Raises StudentCaughtUp when fewer than `method.minimum_pool` are new.
    """
    candidates = _candidates(session, context)
    walked = _walk(session, context, candidates)
    born = _insert_children(session, context, walked)
    _record(session, context, walked, born)
    corrected = exists().where(Revision.instruction_id == Instruction.id)
    total = session.scalar(
        select(func.count())
        .select_from(Instruction)
        .where(Instruction.pool_id == context.pool_id, ~corrected)
    )
    if not total and context.config.bootstraps(context.number):
        raise RunError(
            f"the augmentor wrote no usable first question, in {len(candidates)} replies",
            hint='comd sql "SELECT reason, raw FROM augmentation" shows them; see bootstrap.prompt.',
        )
    if not total or total < context.config.method.minimum_pool:
        raise StudentCaughtUp(
            f"iteration {context.number}: {total} of {len(candidates)} candidates are new, fewer than "
            f"{max(1, context.config.method.minimum_pool)}",
            hint="Lower method.minimum_pool, raise method.diversity_threshold, or stop here.",
        )
    note = f"{total} of {len(candidates)} candidates accepted"
    if filled := _filled_up(session, context):
        note += f"; too little was difficult: {filled} sources are a random sample"
    return Settled(records=len(candidates), note=note)


def _filled_up(session: Session, context: Context) -> int:
    """Sources that made up the minimum (`method.when_caught_up`); by another measure all are random."""
    if context.config.method.measure.needs == "nothing":
        return 0
    return session.scalars(
        select(func.count())
        .select_from(Selection)
        .where(Selection.pool_id == context.pool_id, Selection.band == "random")
    ).one()


def _candidates(session: Session, context: Context) -> Sequence[_Source]:
    """What the augmentor wrote and nobody decided on, in a seeded order of the sources' keys."""
    rows = session.execute(
        select(
            Augmentation.id,
            Augmentation.text,
            Augmentation.source_instruction_id,
            Instruction.key,
            Instruction.image_id,
            Instruction.task_type,
        )
        .join(Instruction, Instruction.id == Augmentation.source_instruction_id)
        .where(Augmentation.pool_id == context.pool_id, Augmentation.status == "generated")
    ).all()
    seed = context.seed("accept")
    return sorted(rows, key=lambda row: rank_key(seed, row.key))


def _walk(session: Session, context: Context, candidates: Sequence[_Source]) -> list[_Walked]:
    verdicts = _verdicts(session, context, candidates)
    # The seed set is what its requests give; only later pools are held to a budget.
    first = context.config.bootstraps(context.number)
    left = None if first else context.config.method.max_new
    walked: list[_Walked] = []
    for row in candidates:
        key = child_key(row.key, row.text)
        if left == 0:
            walked.append(_Walked(row, key, None))
            continue
        verdict = verdicts[row.id]
        walked.append(_Walked(row, key, verdict))
        if verdict.accepted and left is not None:
            left -= 1
    return walked


def _verdicts(
    session: Session, context: Context, candidates: Sequence[_Source]
) -> dict[int, Verdict]:
    """The verdict on each candidate by its id. What one image's are says nothing of another's."""
    of_image: dict[int | None, list[_Source]] = defaultdict(list)
    for row in candidates:
        of_image[row.image_id].append(row)
    entries = _entries(session, context, set(of_image))
    threshold = context.config.method.diversity_threshold
    without_image = of_image.pop(None, [])
    groups = [Group(entries[image], _proposed(rows)) for image, rows in of_image.items()]
    found = chain(
        accept_all(groups, threshold),
        TextOnlyIndex(entries[None]).accept(_proposed(without_image), threshold),
    )
    walked = chain(chain.from_iterable(of_image.values()), without_image)
    return {row.id: verdict for row, verdict in zip(walked, found, strict=True)}


def _proposed(rows: Sequence[_Source]) -> list[tuple[str, str]]:
    return [(child_key(row.key, row.text), row.text) for row in rows]


def _entries(
    session: Session, context: Context, images: set[int | None]
) -> dict[int | None, list[tuple[str, str]]]:
    """(key, text) of each image's instructions in the cache pool; under None of those without one."""
    entries: dict[int | None, list[tuple[str, str]]] = defaultdict(list)
    of_image = among(Instruction.image_id, [image for image in images if image is not None])
    rows = session.execute(
        select(Instruction.image_id, Instruction.key, Instruction.text)
        .where(
            Instruction.id.in_(cache_pool_ids(context.pool_id)),
            (of_image | Instruction.image_id.is_(None)) if None in images else of_image,
        )
        .order_by(Instruction.key)
    )
    for row in rows:
        entries[row.image_id].append((row.key, row.text))
    return entries


def _insert_children(
    session: Session, context: Context, walked: Sequence[_Walked]
) -> dict[str, int]:
    """Instructions for what was accepted; key -> id. A child keeps its parent's task type."""
    rows = [
        {
            "pool_id": context.pool_id,
            "image_id": item.candidate.image_id,
            "parent_id": item.candidate.source_instruction_id,
            "task_type": item.candidate.task_type,
            "text": item.candidate.text,
            "key": item.key,
        }
        for item in walked
        if item.verdict and item.verdict.accepted
    ]
    if not rows:
        return {}
    made = session.execute(insert(Instruction).returning(Instruction.key, Instruction.id), rows)
    return {row.key: row.id for row in made}


def _record(
    session: Session, context: Context, walked: Sequence[_Walked], born: dict[str, int]
) -> None:
    """The verdicts with their evidence, one row a candidate."""
    nearest = {item.verdict.nearest_id for item in walked if item.verdict} - {None}
    known = dict(
        session.execute(
            select(Instruction.key, Instruction.id).where(
                Instruction.id.in_(cache_pool_ids(context.pool_id)),
                Instruction.key == func.any(sorted(str(key) for key in nearest)),
            )
        )
        .tuples()
        .all()
    )
    rows = []
    for item in walked:
        verdict = item.verdict
        accepted = verdict is not None and verdict.accepted
        reason = None if accepted else (NOT_DIVERSE if verdict else OVER_BUDGET)
        rows.append(
            {
                "id": item.candidate.id,
                "status": "accepted" if accepted else "rejected",
                "reason": reason,
                "rouge_l": verdict.rouge_l if verdict else None,
                "nearest_id": known.get(verdict.nearest_id or "") if verdict else None,
                "child_id": born[item.key] if accepted else None,
            }
        )
    if rows:
        session.execute(update(Augmentation), rows)
