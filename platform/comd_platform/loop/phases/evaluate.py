"""Evaluate: the tuned student on every benchmark; teacher and untuned student on the same items."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.ledger import plan_items
from comd_platform.loop.context import Context
from comd_platform.loop.port import Settled
from comd_platform.models import evaluation_model
from comd_platform.runs import RunError
from comd_platform.tables import (
    Benchmark,
    Checkpoint,
    Evaluation,
    EvaluationItem,
    EvaluationScore,
    Failure,
    Model,
)

Subject = Literal["teacher", "student"]


def plan(session: Session, context: Context) -> int:
    """Work items for what is not scored yet; returns how many answers are wanted."""
    planned = 0
    for name in context.config.evaluation.benchmarks:
        benchmark = find_benchmark(session, name)
        planned += _plan_one(session, context, benchmark, "teacher", None, None)
        planned += _plan_one(session, context, benchmark, "student", None, None)
        checkpoint = _checkpoint(session, context)
        planned += _plan_one(
            session, context, benchmark, "student", checkpoint, context.iteration_id
        )
    return planned


def settle(session: Session, _context: Context) -> Settled:
    """Close the evaluations that have a score for every item that was not given up."""
    session.execute(
        update(Evaluation)
        .where(
            Evaluation.finished_at.is_(None),
            ~exists().where(
                EvaluationItem.benchmark_id == Evaluation.benchmark_id,
                ~exists().where(
                    EvaluationScore.evaluation_id == Evaluation.id,
                    EvaluationScore.item_id == EvaluationItem.id,
                ),
                ~exists().where(
                    Failure.evaluation_id == Evaluation.id,
                    Failure.evaluation_item_id == EvaluationItem.id,
                    Failure.state == "quarantined",
                ),
            ),
        )
        .values(finished_at=func.now())
        .execution_options(synchronize_session=False)
    )
    return Settled()


def find_benchmark(session: Session, name: str) -> Benchmark:
    """A benchmark by name. Raises RunError naming those that exist."""
    found = session.scalar(select(Benchmark).where(Benchmark.name == name))
    if found is None:
        names = session.scalars(select(Benchmark.name).order_by(Benchmark.name)).all()
        raise RunError(
            f"no benchmark named {name!r} (there are: {', '.join(names) or 'none yet'})",
            hint="Import it: comd import benchmark FILE --images DIR",
        )
    return found


def _plan_one(
    session: Session,
    context: Context,
    benchmark: Benchmark,
    subject: Subject,
    checkpoint: Checkpoint | None,
    iteration_id: int | None,
) -> int:
    model_id = evaluation_model(session, context.config, subject, checkpoint)
    session.execute(
        insert(Evaluation)
        .values(
            benchmark_id=benchmark.id,
            model_id=model_id,
            subject=subject,
            iteration_id=iteration_id,
        )
        .on_conflict_do_nothing(index_elements=["benchmark_id", "model_id"])
    )
    evaluation = session.scalars(
        select(Evaluation).where(
            Evaluation.benchmark_id == benchmark.id, Evaluation.model_id == model_id
        )
    ).one()
    if evaluation.finished_at is not None:
        return 0
    subjects = session.scalars(
        select(EvaluationItem.id)
        .where(
            EvaluationItem.benchmark_id == benchmark.id,
            ~exists().where(
                EvaluationScore.evaluation_id == evaluation.id,
                EvaluationScore.item_id == EvaluationItem.id,
            ),
            ~exists().where(
                Failure.iteration_id == context.iteration_id,
                Failure.evaluation_id == evaluation.id,
                Failure.evaluation_item_id == EvaluationItem.id,
                Failure.state == "quarantined",
            ),
        )
        .order_by(EvaluationItem.key)
    ).all()
    plan_items(
        session,
        iteration_id=context.iteration_id,
        phase="evaluate",
        role=subject,
        subject_ids=subjects,
        batch=context.config.role(subject).batch,
        model_id=model_id,
        evaluation_id=evaluation.id,
    )
    return len(subjects)


def _checkpoint(session: Session, context: Context) -> Checkpoint:
    model = session.get_one(Model, context.student)
    assert model.checkpoint_id is not None  # the phase tune made this model
    return session.get_one(Checkpoint, model.checkpoint_id)
