"""Tune: the planned examples to a Parquet file, a supervised training, a checkpoint and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sqlalchemy import Engine as Database
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.config.engines import EngineConfig
from comd_platform.db.engine import transaction
from comd_platform.errors import ComdError
from comd_platform.models import checkpoint_model
from comd_platform.tables import (
    Answer,
    Checkpoint,
    Image,
    Instruction,
    Iteration,
    Model,
    TrainingExample,
    TrainingMetric,
    TrainingRun,
)
from comd_training.examples import Dialogue, Turn, write_examples
from comd_training.metrics import Metric
from comd_workers.engines.cache import EngineCache
from comd_workers.perform.handler import Handler
from comd_workers.perform.job import Job
from comd_workers.tuning import TUNERS, Order


@dataclass(frozen=True, slots=True)
class Training:
    """A planned training run, and the weights to start from."""

    training_run_id: int
    base_model_id: int
    key: str
    seed: int
    base: str
    revision: str | None
    engine: EngineConfig


@dataclass(frozen=True, slots=True)
class Tuned:
    training: Training
    examples: Path
    examples_sha256: str
    checkpoint: Path
    steps: int
    weights_sha256: str


class TuningFailed(ComdError):
    """The training ended without a checkpoint."""


class Tuning(Handler[Training, Tuned]):
    """Metrics are rows while the training runs, so this handler has the database at hand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, session: Session, job: Job) -> Training:
        training = session.scalars(
            select(TrainingRun).where(TrainingRun.iteration_id == job.claim.iteration_id)
        ).one()
        engine = job.config.engine("student")
        base = session.get_one(Model, training.base_model_id)
        if base.checkpoint_id is not None:
            checkpoint = session.get_one(Checkpoint, base.checkpoint_id)
            engine = engine.with_model(str(job.settings.artifact_root / checkpoint.path))
        return Training(
            training_run_id=training.id,
            base_model_id=base.id,
            key=training.key,
            seed=training.seed,
            base=engine.model,
            revision=getattr(engine, "revision", None),
            engine=engine,
        )

    def compute(self, job: Job, inputs: Training, engines: EngineCache) -> Tuned:
        engines.close()  # the card is the training's now
        output = job.settings.artifact_root / "training" / inputs.key
        examples = output / "examples.parquet"
        with transaction(self._database) as session:
            session.execute(
                update(TrainingRun)
                .where(TrainingRun.id == inputs.training_run_id)
                .values(state="running", error=None)
            )
            digest = write_examples(examples, _dialogues(session, inputs.training_run_id))
        order = Order(
            examples=examples,
            image_root=job.settings.image_root,
            output=output,
            base=inputs.base,
            revision=inputs.revision,
            seed=inputs.seed,
            engine=inputs.engine,
            config=job.config.training,
        )
        result = TUNERS[inputs.engine.engine](
            order, _recorder(self._database, inputs.training_run_id)
        )
        return Tuned(
            inputs, examples, digest, result.checkpoint, result.steps, result.weights_sha256
        )

    def write(self, session: Session, job: Job, outputs: Tuned) -> None:
        root = job.settings.artifact_root
        training_id = outputs.training.training_run_id
        session.execute(
            update(TrainingRun)
            .where(TrainingRun.id == training_id)
            .values(
                state="done",
                error=None,
                examples_path=str(outputs.examples.relative_to(root)),
                examples_sha256=outputs.examples_sha256,
                finished_at=func.clock_timestamp(),
            )
        )
        checkpoint_id = session.execute(
            insert(Checkpoint)
            .values(
                training_run_id=training_id,
                step=outputs.steps,
                path=str(outputs.checkpoint.relative_to(root)),
                weights_sha256=outputs.weights_sha256,
            )
            .returning(Checkpoint.id)
        ).scalar_one()
        checkpoint = session.get_one(Checkpoint, checkpoint_id)
        base = session.get_one(Model, outputs.training.base_model_id)
        student = checkpoint_model(session, job.config, base, checkpoint)
        session.execute(
            update(Iteration)
            .where(Iteration.id == job.claim.iteration_id)
            .values(student_model_id=student)
        )


def record_failure(session: Session, iteration_id: int, error: str) -> None:
    """The training run shows what went wrong; the work item carries the same text."""
    session.execute(
        update(TrainingRun)
        .where(TrainingRun.iteration_id == iteration_id)
        .values(state="failed", error=error)
    )


def _recorder(database: Database, training_run_id: int) -> Callable[[Metric], None]:
    """Metrics stream into the database as they are written; a repeated step counts once."""

    def record(metric: Metric) -> None:
        values = {
            "loss": metric.loss,
            "learning_rate": metric.learning_rate,
            "grad_norm": metric.grad_norm,
            "tokens": metric.tokens,
            "seconds": metric.seconds,
        }
        statement = insert(TrainingMetric).values(
            training_run_id=training_run_id, step=metric.step, **values
        )
        with transaction(database) as session:
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=["training_run_id", "step"], set_=values
                )
            )

    return record


def _dialogues(session: Session, training_run_id: int) -> Iterator[Dialogue]:
    rows = session.execute(
        select(
            TrainingExample.dialogue,
            TrainingExample.image_position,
            Instruction.key,
            Instruction.text,
            Answer.text.label("answer"),
            Image.path,
        )
        .join(Instruction, Instruction.id == TrainingExample.instruction_id)
        .join(Answer, Answer.id == TrainingExample.answer_id)
        .outerjoin(Image, Image.id == Instruction.image_id)
        .where(TrainingExample.training_run_id == training_run_id)
        .order_by(TrainingExample.dialogue, TrainingExample.turn)
        .execution_options(yield_per=5000)
    )
    for name, turns in groupby(rows, key=lambda row: row.dialogue):
        said = list(turns)
        yield Dialogue(
            dialogue=name,
            image=said[0].path,
            image_position=said[0].image_position,
            turns=tuple(Turn(row.key, row.text, row.answer) for row in said),
        )
