"""Fine-tuning for a benchmark: a side branch from a checkpoint, which no iteration ever continues.

The paper fine-tunes on ScienceQA's train split (6 epochs at 2e-5, section 4.1.3) before it tests. The
split comes in as a pool with reference answers (`comd import scienceqa`); the training is a row of
`training_run` without an iteration, its checkpoint a model that only evaluations name.
"""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from comd_platform.config.objectives import SftConfig
from comd_platform.config.training import Hyperparameters
from comd_platform.loop.context import Context
from comd_platform.loop.phases.evaluate import find_benchmark, plan_one
from comd_platform.method.seeds import content_seed
from comd_platform.runs import RunError
from comd_platform.tables import (
    Checkpoint,
    Instruction,
    Model,
    Pool,
    TrainingRun,
    WorkItem,
)
from comd_platform.tables import Prompt as PromptRow

_ENGINE = "reference"

_ANSWERS = """
INSERT INTO answer (instruction_id, model_id, text, finish_reason)
SELECT id, :model, reference_answer, 'stop' FROM instruction
WHERE pool_id = :pool AND reference_answer IS NOT NULL
ON CONFLICT (instruction_id, model_id) DO NOTHING
"""

# As LLaVA trains on ScienceQA: each question is a dialogue of its own, after its picture.
_EXAMPLES = """
INSERT INTO training_example
    (training_run_id, instruction_id, answer_id, dialogue, turn, image_position, reason)
SELECT :training, instruction.id, answer.id, instruction.key, 1, 'before', 'fine_tuning'
FROM instruction
JOIN answer ON answer.instruction_id = instruction.id AND answer.model_id = :model
WHERE instruction.pool_id = :pool
"""


def plan_training(session: Session, context: Context, pool_name: str) -> int:
    """The work item for fine-tuning an iteration's student on a pool; 0 where it has been done.

    Raises RunError for a pool that is not there or has no reference answers.
    """
    training = _find_or_make(session, context, pool_name)
    if training.state == "done":
        return 0
    training.state, training.error, training.failure_kind = "planned", None, None
    session.add(
        WorkItem(iteration_id=context.iteration_id, phase="tune", role="trainer", subject_ids=[])
    )
    session.flush()
    return 1


def plan_evaluation(session: Session, context: Context, pool_name: str, benchmark_name: str) -> int:
    """Work items for the fine-tuned student on a benchmark."""
    training = _find_or_make(session, context, pool_name)
    checkpoint = session.scalars(
        select(Checkpoint).where(Checkpoint.training_run_id == training.id)
    ).one()
    benchmark = find_benchmark(session, benchmark_name)
    return plan_one(session, context, benchmark, "fine_tuned", checkpoint)


def hyperparameters(context: Context) -> Hyperparameters:
    """The run's own, with what the config says of fine-tuning; on reference answers, which are no
    teacher's, so the objective is plain."""
    changed = context.config.evaluation.fine_tuning.model_dump() | {"objective": SftConfig()}
    return context.config.training.hyperparameters().model_copy(update=changed)


def _find_or_make(session: Session, context: Context, pool_name: str) -> TrainingRun:
    pool = session.scalar(select(Pool).where(Pool.name == pool_name))
    if pool is None:
        raise RunError(
            f"no pool named {pool_name!r} to fine-tune on",
            hint="ScienceQA's train split: comd import scienceqa problems.json --images images/train"
            " --keep-answers --text-only",
        )
    told = {
        "base": session.get_one(Model, context.student).fingerprint,
        "pool": _content(session, pool),
        "hyperparameters": hyperparameters(context).model_dump(mode="json"),
        "seed": context.config.seed,
    }
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    known = session.scalar(
        select(TrainingRun).where(TrainingRun.key == key, TrainingRun.iteration_id.is_(None))
    )
    return known or _make(session, context, pool, key)


def _content(session: Session, pool: Pool) -> str:
    """A hash of all that the pool would teach. Raises RunError where that is nothing."""
    digest = hashlib.sha256()
    taught = 0
    for row in session.execute(
        select(Instruction.key, Instruction.reference_answer)
        .where(Instruction.pool_id == pool.id, Instruction.reference_answer.is_not(None))
        .order_by(Instruction.key)
    ):
        taught += 1
        digest.update(json.dumps(list(row)).encode())
    if not taught:
        raise RunError(
            f"pool {pool.name!r} has no reference answers to fine-tune on",
            hint="Import it again with --keep-answers.",
        )
    return digest.hexdigest()


def _make(session: Session, context: Context, pool: Pool, key: str) -> TrainingRun:
    config = hyperparameters(context)
    training = TrainingRun(
        pool_id=pool.id,
        key=key,
        base_model_id=context.student,
        objective=config.objective.name,
        config=config.model_dump(mode="json"),
        seed=content_seed(context.config.seed, 0, "fine-tune"),
    )
    session.add(training)
    session.flush()
    names = {
        "pool": pool.id,
        "model": _reference_model(session, context),
        "training": training.id,
    }
    session.execute(text(_ANSWERS), names)
    session.execute(text(_EXAMPLES), names)
    return training


def _reference_model(session: Session, context: Context) -> int:
    """The row that stands for whoever wrote reference answers, so that they are answers like others."""
    fingerprint = hashlib.sha256(b"reference answers").hexdigest()
    known = session.scalar(select(Model.id).where(Model.fingerprint == fingerprint))
    if known is not None:
        return known
    prompt = session.get_one(PromptRow, session.get_one(Model, context.student).prompt_hash)
    made = Model(
        fingerprint=fingerprint,
        uri="reference answers",
        engine=_ENGINE,
        identity={"engine": _ENGINE},
        sampling={},
        prompt_hash=prompt.hash,
    )
    session.add(made)
    session.flush()
    return made.id
