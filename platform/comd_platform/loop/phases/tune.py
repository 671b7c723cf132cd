"""Tune: the plan of one training run, down to the last turn (sections 3.1 and 3.3.1)."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, insert, literal, select, true
from sqlalchemy.orm import Session

from comd_platform.db.arrays import among
from comd_platform.db.copy import copy_rows
from comd_platform.loop.context import Context, has_logits
from comd_platform.loop.tuning_set import tuning_set
from comd_platform.method.dialogues import SingleTurn, merge_turns
from comd_platform.models import checkpoint_model, role_model
from comd_platform.runs import RunError
from comd_platform.tables import (
    Answer,
    Checkpoint,
    Instruction,
    Iteration,
    Model,
    TrainingMetric,
    TrainingRun,
    WorkItem,
)

_COLUMNS = ("instruction_id", "answer_id", "dialogue", "turn", "image_position", "reason")
_TYPES = ("int8", "int8", "int8", "text", "int8", "text", "text")


@dataclass(frozen=True, slots=True)
class _Example:
    instruction_id: int
    answer_id: int
    dialogue: str
    turn: int
    image_position: str
    reason: str


def plan(session: Session, context: Context) -> int:
    """The training run with its examples, and the one work item for it; 0 when it is done.

    A training that another iteration has finished, the same in all that decides the weights, is
    taken over with its checkpoint. Raises RunError when no instruction has an answer to learn from.
    """
    standing = session.scalar(
        select(TrainingRun).where(TrainingRun.iteration_id == context.iteration_id)
    )
    if standing is None:
        standing = _plan_training(session, context)
    if standing.state == "done" or _taken_over(session, context, standing):
        return 0
    standing.state, standing.error, standing.failure_kind = "planned", None, None
    session.add(
        WorkItem(iteration_id=context.iteration_id, phase="tune", role="trainer", subject_ids=[])
    )
    session.flush()
    return 1


def _taken_over(session: Session, context: Context, training: TrainingRun) -> bool:
    """Whether this training has been done before; then metrics, checkpoint and student are its."""
    twin = session.scalar(
        select(TrainingRun)
        .where(TrainingRun.key == training.key, TrainingRun.state == "done")
        .order_by(TrainingRun.id)
        .limit(1)
    )
    if twin is None:
        return False
    columns = [column.name for column in TrainingMetric.__table__.columns][1:]
    session.execute(
        insert(TrainingMetric).from_select(
            ("training_run_id", *columns),
            select(
                literal(training.id), *(getattr(TrainingMetric, name) for name in columns)
            ).where(TrainingMetric.training_run_id == twin.id),
        )
    )
    found = session.scalars(select(Checkpoint).where(Checkpoint.training_run_id == twin.id)).one()
    checkpoint = Checkpoint(
        training_run_id=training.id,
        step=found.step,
        path=found.path,
        weights_sha256=found.weights_sha256,
    )
    session.add(checkpoint)
    training.state, training.error = "done", None
    training.examples_path, training.examples_sha256 = twin.examples_path, twin.examples_sha256
    training.finished_at = func.clock_timestamp()
    session.flush()
    base = session.get_one(Model, training.base_model_id)
    session.get_one(Iteration, context.iteration_id).student_model_id = checkpoint_model(
        session, context.config, base, checkpoint
    )
    return True


def base_model(session: Session, context: Context) -> int:
    """The student to start from: the parent iteration's, or the untuned one."""
    if context.parent_id is None:
        return role_model(session, context.config, "student")
    parent = session.get_one(Iteration, context.parent_id)
    assert parent.student_model_id is not None  # iterations start from finished ones
    return parent.student_model_id


def _plan_training(session: Session, context: Context) -> TrainingRun:
    seed = context.seed("tune")
    digest = hashlib.sha256()
    examples = list(_examples(session, context, seed, digest))
    if not examples:
        raise RunError(
            f"iteration {context.number} has nothing to tune on: no instruction is left that "
            "has an answer",
            hint="comd failures shows why the teacher answered none; comd review list, what was "
            "rejected.",
        )
    base_id = base_model(session, context)
    hyperparameters = context.config.training.hyperparameters().model_dump(mode="json")
    told = {
        "base": session.get_one(Model, base_id).fingerprint,
        "hyperparameters": hyperparameters,
        "seed": seed,
    }
    if context.config.training.objective.has_teacher:
        told["teacher"] = session.get_one(Model, context.teacher_model_id).fingerprint
    digest.update(json.dumps(told, sort_keys=True).encode())
    training = TrainingRun(
        iteration_id=context.iteration_id,
        key=digest.hexdigest(),
        base_model_id=base_id,
        objective=context.config.training.objective.name,
        config=hyperparameters,
        seed=seed,
    )
    session.add(training)
    session.flush()
    copy_rows(
        session,
        "training_example",
        ("training_run_id", *_COLUMNS),
        ((training.id, *(getattr(row, name) for name in _COLUMNS)) for row in examples),
        _TYPES,
    )
    return training


def _examples(
    session: Session, context: Context, seed: int, digest: hashlib._Hash
) -> Iterator[_Example]:
    """The single turns of one image merged into dialogues; text-only ones stand alone."""
    reasons = tuning_set(session, context)
    top_k = context.config.training.objective.stored_top_k
    # An answer whose logits could not be had is not learned from; phase label says so by name.
    learnable = true() if top_k is None else has_logits(context.teacher_model_id, top_k)
    rows = session.execute(
        select(
            Instruction.id,
            Instruction.key,
            Instruction.image_id,
            Instruction.text,
            Answer.id.label("answer_id"),
            Answer.text.label("answer"),
        )
        .join(
            Answer,
            (Answer.instruction_id == Instruction.id)
            & (Answer.model_id == context.teacher_model_id),
        )
        .where(among(Instruction.id, reasons), learnable)
        .order_by(Instruction.key)
    ).all()
    by_image: dict[int | str, list[SingleTurn]] = defaultdict(list)
    found = {row.key: row for row in rows}
    for row in rows:
        by_image[row.image_id or row.key].append(SingleTurn(row.key, row.text, row.answer))
    for turns in by_image.values():
        for dialogue in merge_turns(turns, seed, context.config.pools.max_turns):
            name = dialogue.turns[0].key
            position = "before" if dialogue.image_first else "after"
            for number, turn in enumerate(dialogue.turns, start=1):
                row = found[turn.key]
                said = json.dumps([name, number, position, turn.question, turn.answer])
                digest.update(said.encode())
                yield _Example(row.id, row.answer_id, name, number, position, reasons[row.id])
