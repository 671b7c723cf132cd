"""Evaluate: the tuned student on every benchmark; teacher and untuned student on the same items."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.evaluation.grading import JUDGE
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

Subject = Literal["teacher", "student", "fine_tuned"]


def plan(session: Session, context: Context) -> int:
    """Work items for what is not scored yet; returns how many answers or reviews are wanted."""
    return plan_benchmarks(session, context, context.config.evaluation.benchmarks)


def plan_benchmarks(
    session: Session, context: Context, names: Iterable[str], *, own: bool = True
) -> int:
    """The same for the benchmarks called `names`.

    Teacher and untuned student always stand beside the iteration's own student, where it has one yet;
    without `own` they stand alone.
    """
    planned = 0
    for name in names:
        benchmark = find_benchmark(session, name)
        planned += plan_one(session, context, benchmark, "teacher", None)
        planned += plan_one(session, context, benchmark, "student", None)
        if own and context.student_model_id is not None:
            checkpoint = _checkpoint(session, context)
            planned += plan_one(session, context, benchmark, "student", checkpoint)
    return planned


def settle(session: Session, _context: Context) -> Settled:
    """Close the evaluations that have a score for every item that was not given up."""
    given_up = exists().where(
        Failure.evaluation_id == Evaluation.id,
        Failure.evaluation_item_id == EvaluationItem.id,
        Failure.state == "quarantined",
    )
    session.execute(
        update(Evaluation)
        .where(
            Evaluation.finished_at.is_(None),
            ~exists().where(
                EvaluationItem.benchmark_id == Evaluation.benchmark_id,
                ~_has_row(EvaluationScore.score.is_not(None)),
                ~given_up,
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
            hint="Import it: comd import benchmark PATH --kind KIND --images DIR",
        )
    return found


def plan_one(
    session: Session,
    context: Context,
    benchmark: Benchmark,
    subject: Subject,
    checkpoint: Checkpoint | None,
) -> int:
    """Work items for one model on one benchmark: first its answers, then (where there is one) the
    judge's reviews of them. Returns how many are wanted now."""
    role: Literal["teacher", "student"] = "teacher" if subject == "teacher" else "student"
    model_id = evaluation_model(session, context.config, benchmark, role, checkpoint)
    evaluation = _evaluation(session, context, benchmark, subject, model_id, checkpoint)
    if evaluation.finished_at is not None:
        return 0
    answers = _plan(session, context, evaluation, role, model_id, ~_has_row())
    if answers or evaluation.assessor_id is None:
        return answers
    unscored = _has_row(EvaluationScore.score.is_(None))
    return _plan(session, context, evaluation, "assessor", evaluation.assessor_id, unscored)


def _evaluation(
    session: Session,
    context: Context,
    benchmark: Benchmark,
    subject: Subject,
    model_id: int,
    checkpoint: Checkpoint | None,
) -> Evaluation:
    assessor_id = context.assessor_model_id if benchmark.metric == JUDGE else None
    session.execute(
        insert(Evaluation)
        .values(
            benchmark_id=benchmark.id,
            model_id=model_id,
            assessor_id=assessor_id,
            subject=subject,
            iteration_id=context.iteration_id if checkpoint is not None else None,
        )
        .on_conflict_do_nothing(index_elements=["benchmark_id", "model_id", "assessor_id"])
    )
    return session.scalars(
        select(Evaluation).where(
            Evaluation.benchmark_id == benchmark.id,
            Evaluation.model_id == model_id,
            Evaluation.assessor_id.is_not_distinct_from(assessor_id),
        )
    ).one()


def _has_row(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """That the evaluation at hand has a row for the item at hand."""
    return exists().where(
        EvaluationScore.evaluation_id == Evaluation.id,
        EvaluationScore.item_id == EvaluationItem.id,
        *conditions,
    )


def _plan(
    session: Session,
    context: Context,
    evaluation: Evaluation,
    role: Literal["teacher", "student", "assessor"],
    model_id: int,
    lacking: ColumnElement[bool],
) -> int:
    """Work items for what is `lacking` and was not given up; returns of how many records."""
    given_up = exists().where(
        Failure.iteration_id == context.iteration_id,
        Failure.evaluation_id == Evaluation.id,
        Failure.evaluation_item_id == EvaluationItem.id,
        Failure.state == "quarantined",
    )
    return plan_items(
        session,
        iteration_id=context.iteration_id,
        phase="evaluate",
        role=role,
        subjects=select(EvaluationItem.id)
        .join(Evaluation, Evaluation.benchmark_id == EvaluationItem.benchmark_id)
        .where(Evaluation.id == evaluation.id, lacking, ~given_up),
        order=EvaluationItem.key,
        batch=context.config.role(role).batch,
        model_id=model_id,
        evaluation_id=evaluation.id,
    )


def _checkpoint(session: Session, context: Context) -> Checkpoint:
    model = session.get_one(Model, context.student)
    assert model.checkpoint_id is not None  # the phase tune made this model
    return session.get_one(Checkpoint, model.checkpoint_id)
