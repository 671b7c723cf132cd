"""What every phase knows: the iteration, its config and its seeds."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Exists, Select, column, exists, select, table
from sqlalchemy.orm import Session

from comd_platform.config.load import parse_config
from comd_platform.config.run import RunConfig
from comd_platform.method.seeds import content_seed
from comd_platform.review.honouring import set_aside
from comd_platform.tables import (
    Answer,
    AnswerLogits,
    Contamination,
    Failure,
    Instruction,
    Iteration,
)

POOL_CLOSURE = table("pool_closure", column("pool_id"), column("ancestor_id"), column("depth"))


@dataclass(frozen=True, slots=True)
class Context:
    """One iteration as the phases see it; ids and plain values, no open session."""

    run_id: int
    iteration_id: int
    number: int
    parent_id: int | None
    pool_id: int
    teacher_model_id: int
    assessor_model_id: int
    augmentor_model_id: int
    student_model_id: int | None
    config: RunConfig

    @classmethod
    def load(cls, session: Session, iteration_id: int) -> Context:
        """Read an iteration afresh."""
        iteration = session.get_one(Iteration, iteration_id, populate_existing=True)
        return cls(
            run_id=iteration.run_id,
            iteration_id=iteration.id,
            number=iteration.number,
            parent_id=iteration.parent_id,
            pool_id=iteration.pool_id,
            teacher_model_id=iteration.teacher_model_id,
            assessor_model_id=iteration.assessor_model_id,
            augmentor_model_id=iteration.augmentor_model_id,
            student_model_id=iteration.student_model_id,
            config=parse_config(iteration.config, origin=f"the config of iteration {iteration.id}"),
        )

    def seed(self, phase: str, *parts: str | int) -> int:
        """The seed of one random choice: run, iteration, phase and content; never time or worker."""
        return content_seed(self.config.seed, self.number, phase, *parts)

    @property
    def student(self) -> int:
        """The student that this iteration tuned; asked for only after the phase tune."""
        assert self.student_model_id is not None, "the phase tune has not been finished"
        return self.student_model_id


def cache_pool_ids(pool_id: int) -> Select[int]:
    """Ids of the instructions born in a pool or in an ancestor of it."""
    return (
        select(Instruction.id)
        .join(POOL_CLOSURE, POOL_CLOSURE.c.ancestor_id == Instruction.pool_id)
        .where(POOL_CLOSURE.c.pool_id == pool_id)
    )


def answered(model_id: int) -> Exists:
    """That a model has answered the instruction at hand.

    EXISTS everywhere and never NOT IN (SELECT …): past a few hundred thousand rows PostgreSQL gives
    up hashing the latter and scans it again for every row.
    """
    return exists().where(Answer.instruction_id == Instruction.id, Answer.model_id == model_id)


def has_logits(model_id: int, top_k: int) -> Exists:
    """That a model's answer to the instruction at hand stands with at least `top_k` of its logits."""
    return exists().where(
        Answer.instruction_id == Instruction.id,
        Answer.model_id == model_id,
        AnswerLogits.answer_id == Answer.id,
        AnswerLogits.top_k >= top_k,
    )


def quarantined(context: Context, phase: str) -> Exists:
    """That this iteration has given up on the instruction at hand in a phase."""
    return exists().where(
        Failure.instruction_id == Instruction.id,
        Failure.iteration_id == context.iteration_id,
        Failure.phase == phase,
        Failure.state == "quarantined",
    )


def kept_out(iteration_id: int) -> ColumnElement[bool]:
    """That an iteration does not tune on the instruction at hand: it overlaps with a benchmark, or a
    person rejected or edited it. It stays in the cache pool, and is assessed there."""
    return contaminated(iteration_id) | set_aside(iteration_id)


def contaminated(iteration_id: int) -> Exists:
    """That an iteration's decontamination excludes the instruction at hand."""
    return exists().where(
        Contamination.instruction_id == Instruction.id,
        Contamination.iteration_id == iteration_id,
        Contamination.verdict == "excluded",
    )
