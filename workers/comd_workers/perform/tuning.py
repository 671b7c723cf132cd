"""Tune: the planned examples to a Parquet file, a supervised training, a checkpoint and its rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sqlalchemy import Engine as Database
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.config.engines import EngineConfig
from comd_platform.config.run import TrainingConfig
from comd_platform.config.training import Hyperparameters
from comd_platform.db.engine import transaction
from comd_platform.db.outage import Patience
from comd_platform.errors import ComdError
from comd_platform.models import checkpoint_model
from comd_platform.tables import (
    Answer,
    AnswerLogits,
    Checkpoint,
    Image,
    Instruction,
    Iteration,
    Model,
    TrainingExample,
    TrainingRun,
)
from comd_training.examples import Dialogue, Turn, write_examples
from comd_training.failures import TrainingFailed, is_disk_full, name_failure
from comd_training.stored_logits import write_stored_logits
from comd_workers.drain import Drain
from comd_workers.engines.cache import Engines
from comd_workers.perform.handler import Handler
from comd_workers.perform.heartbeat import Heartbeat
from comd_workers.perform.job import Job
from comd_workers.perform.recording import Recorder
from comd_workers.tuning import TUNERS, Listener, Order

LOGITS = "teacher_logits.arrow"


@dataclass(frozen=True, slots=True)
class Training:
    """A planned training run, and the weights to start from. `beside`: no iteration continues it."""

    training_run_id: int
    base_model_id: int
    key: str
    seed: int
    base: str
    revision: str | None
    engine: EngineConfig
    config: TrainingConfig
    beside: bool


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
    """Metrics are rows while the training runs, so this handler has the database at hand.

    It stops by itself when the worker is asked to leave: the training saves where it stands.
    """

    stops_itself = True

    def __init__(
        self, database: Database, patience: Patience, heartbeat: Heartbeat, drain: Drain
    ) -> None:
        self._database = database
        self._patience = patience
        self._heartbeat = heartbeat
        self._drain = drain

    def read(self, session: Session, job: Job) -> Training:
        training = _planned(session, job.claim.iteration_id)
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
            config=job.config.training.model_copy(
                update=dict(Hyperparameters.model_validate(training.config))
            ),
            beside=training.iteration_id is None,
        )

    def compute(self, job: Job, inputs: Training, engines: Engines) -> Tuned:
        engines.close()  # the card is the training's now
        output = job.settings.artifact_root / "training" / inputs.key
        examples = output / "examples.parquet"
        logits = output / LOGITS if inputs.config.objective.stored_top_k is not None else None
        with room_on_disk():
            digest = self._patience.outlast(lambda: self._begin(inputs, examples, logits))
        order = Order(
            examples=examples,
            image_root=job.settings.image_root,
            output=output,
            base=inputs.base,
            revision=inputs.revision,
            seed=inputs.seed,
            engine=inputs.engine,
            config=inputs.config,
            owner=f"training run {inputs.training_run_id}",
            teacher=job.config.engine("teacher"),
            teacher_logits=logits,
        )
        recorder = Recorder(self._database, job.claim, inputs.training_run_id)

        def alive() -> None:
            self._heartbeat.check(job.claim)
            recorder.tend()

        listener = Listener(recorder.metric, alive, recorder.saved, self._drain.asked)
        try:
            with room_on_disk():
                result = TUNERS[inputs.engine.engine](order, listener)
        finally:
            recorder.close(self._patience)
        return Tuned(
            inputs, examples, digest, result.checkpoint, result.steps, result.weights_sha256
        )

    def _begin(self, inputs: Training, examples: Path, logits: Path | None) -> str:
        with transaction(self._database) as session:
            session.execute(
                update(TrainingRun)
                .where(TrainingRun.id == inputs.training_run_id)
                .values(state="running", error=None, failure_kind=None)
            )
            if logits is not None:
                _write_logits(session, inputs, logits)
            return write_examples(examples, _dialogues(session, inputs.training_run_id))

    def write(self, session: Session, job: Job, outputs: Tuned) -> None:
        root = job.settings.artifact_root
        training_id = outputs.training.training_run_id
        session.execute(
            update(TrainingRun)
            .where(TrainingRun.id == training_id)
            .values(
                state="done",
                error=None,
                failure_kind=None,
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
        if outputs.training.beside:
            return
        checkpoint = session.get_one(Checkpoint, checkpoint_id)
        base = session.get_one(Model, outputs.training.base_model_id)
        student = checkpoint_model(session, job.config, base, checkpoint)
        session.execute(
            update(Iteration)
            .where(Iteration.id == job.claim.iteration_id)
            .values(student_model_id=student)
        )


def record_end(session: Session, iteration_id: int, error: str | None, kind: str | None) -> None:
    """The training run shows what went wrong; the work item carries the same text. Without an error
    it was asked to stop."""
    training = _planned(session, iteration_id)
    training.state = "stopped" if error is None else "failed"
    training.error, training.failure_kind = error, kind


def _planned(session: Session, iteration_id: int) -> TrainingRun:
    """What a work item of phase tune is about: the iteration's own training until that is done, then
    the fine-tuning of its student that was planned last."""
    own = session.scalars(select(TrainingRun).where(TrainingRun.iteration_id == iteration_id)).one()
    if own.state != "done":
        return own
    return session.scalars(
        select(TrainingRun)
        .join(Iteration, Iteration.student_model_id == TrainingRun.base_model_id)
        .where(
            Iteration.id == iteration_id,
            TrainingRun.iteration_id.is_(None),
            TrainingRun.state != "done",
        )
        .order_by((TrainingRun.state == "failed"), TrainingRun.id.desc())
        .limit(1)
    ).one()


@contextmanager
def room_on_disk() -> Iterator[None]:
    """A disk that fills up under the worker's own files is the same failure as under the ranks'."""
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise TrainingFailed(name_failure(error)) from error


def _write_logits(session: Session, inputs: Training, path: Path) -> None:
    """The stored logits of all answers to be learned, in the order of the examples.

    Raises TuningFailed where they are of several vocabularies.
    """
    joined = (
        select(AnswerLogits.vocabulary, Model.uri)
        .join(TrainingExample, TrainingExample.answer_id == AnswerLogits.answer_id)
        .join(Answer, Answer.id == AnswerLogits.answer_id)
        .join(Model, Model.id == Answer.model_id)
        .where(TrainingExample.training_run_id == inputs.training_run_id)
        .distinct()
    )
    found = session.execute(joined).all()
    if len(found) != 1:
        raise TuningFailed(
            f"the stored logits are of {len(found)} vocabularies: "
            + ", ".join(f"{row.uri} ({row.vocabulary[:12]})" for row in found),
            hint="The teacher's tokenizer was changed between two labellings; delete the older rows of "
            "answer_logits, and they are computed again.",
        )
    rows = session.execute(
        select(Instruction.key, AnswerLogits.data)
        .join(TrainingExample, TrainingExample.instruction_id == Instruction.id)
        .join(AnswerLogits, AnswerLogits.answer_id == TrainingExample.answer_id)
        .where(TrainingExample.training_run_id == inputs.training_run_id)
        .order_by(TrainingExample.dialogue, TrainingExample.turn)
        .execution_options(yield_per=500)
    )
    write_stored_logits(
        path,
        ((row.key, row.data) for row in rows),
        vocabulary=found[0].vocabulary,
        teacher=found[0].uri,
    )


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
