"""A claimed work item with all that it takes to do it, read from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.config.engines import EngineConfig
from comd_platform.config.run import Role, RunConfig, SamplingConfig
from comd_platform.db.arrays import among
from comd_platform.images.names import Folder
from comd_platform.ledger import Claim, FailedRecord
from comd_platform.loop.context import Context
from comd_platform.method.prompts import Prompt
from comd_platform.settings import Settings
from comd_platform.tables import Checkpoint, Failure, Image, Model
from comd_platform.tables import Prompt as PromptRow
from comd_workers.engines.base import Completion, Request, Sampling
from comd_workers.perform.meter import Meter

_ROLES: dict[str, Role] = {
    "label": "teacher",
    "answer": "student",
    "judge": "assessor",
    "augment": "augmentor",
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """The model that an item is for: how to load it, how it decodes, with which prompt."""

    model_id: int
    engine: EngineConfig
    sampling: Sampling
    prompt: Prompt
    system: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """One claim in its iteration. `speaker` is None for a training; `meter` counts what is asked;
    `files` are the pictures located so far."""

    claim: Claim
    context: Context
    settings: Settings
    speaker: Speaker | None
    pictures: Folder
    meter: Meter = field(default_factory=Meter)
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def config(self) -> RunConfig:
        return self.context.config

    @property
    def voice(self) -> Speaker:
        """The speaker of a phase that has one."""
        assert self.speaker is not None, f"phase {self.claim.phase} names a model"
        return self.speaker

    def request(
        self, key: str, text: str, image: str | None, seed_parts: Sequence[str | int]
    ) -> Request:
        """A request of this job's speaker; `image` is relative to the image root."""
        return Request(
            key=key,
            text=text,
            images=(self._file(image),) if image else (),
            system=self.voice.system,
            seed=self.context.seed(self.claim.phase, *seed_parts),
        )

    def _file(self, image: str) -> Path:
        """Where the picture is; one that is gone is for the engine to report, record by record.

        Raises ImageError for a path that leads out of the image root.
        """
        if image not in self.files:
            self.files[image] = self.pictures.locate(image) or self.settings.image_root / image
        return self.files[image]


def load_job(session: Session, claim: Claim, settings: Settings, pictures: Folder) -> Job:
    """Read what a claim needs; `pictures` is the image root. Whatever is missing in the rows raises
    NoResultFound."""
    context = Context.load(session, claim.iteration_id)
    speaker = None
    if claim.model_id is not None:
        speaker = _speaker(session, claim, context.config, settings.artifact_root)
    return Job(claim, context, settings, speaker, pictures)


def earlier_attempts(session: Session, claim: Claim) -> dict[int, int]:
    """How often each subject has failed before; a further attempt draws another seed."""
    column = Failure.evaluation_item_id if claim.evaluation_id else Failure.instruction_id
    rows = session.execute(
        select(column, Failure.attempts).where(
            Failure.iteration_id == claim.iteration_id,
            Failure.phase == claim.phase,
            Failure.evaluation_id.is_not_distinct_from(claim.evaluation_id),
            among(column, claim.subject_ids),
        )
    )
    return {int(subject): attempts for subject, attempts in rows if subject is not None}


def image_path(state: str | None, path: str | None) -> str | None:
    """The path of a joined picture; a missing one keeps runs from starting, so it is a bug here."""
    assert state != "missing", "an instruction whose picture is missing was planned"
    return path


IMAGE_COLUMNS = (Image.state, Image.path)


def failed(subject_id: int, completion: Completion) -> FailedRecord:
    """What to record of a completion that holds no text to use."""
    reason = "engine error" if completion.finish_reason == "error" else completion.finish_reason
    return FailedRecord(subject_id, reason, storable(completion.error or completion.text[:1000]))


def storable(text: str) -> str:
    """`text` with what PostgreSQL refuses (NUL, lone surrogates) replaced by U+FFFD."""
    clean = text.replace("\x00", "\ufffd")
    return clean.encode("utf-8", "replace").decode() if not clean.isascii() else clean


def _speaker(session: Session, claim: Claim, config: RunConfig, artifacts: Path) -> Speaker:
    model = session.get_one(Model, claim.model_id)
    prompt = session.get_one(PromptRow, model.prompt_hash)
    # Of the phase evaluate: whoever answers, or the judge of the answers.
    role = _ROLES.get(claim.phase) or cast("Role", claim.role)
    engine = config.engine(role)
    if model.checkpoint_id is not None:
        checkpoint = session.get_one(Checkpoint, model.checkpoint_id)
        engine = engine.with_model(str(artifacts / checkpoint.path))
    sampling = SamplingConfig.model_validate(
        {name: model.sampling[name] for name in SamplingConfig.model_fields}
    )
    return Speaker(
        model_id=model.id,
        engine=engine,
        sampling=Sampling(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_new_tokens=sampling.max_new_tokens,
            stop=sampling.stop,
        ),
        prompt=Prompt(
            cast("Role", prompt.role),
            prompt.template,
            name=f"{prompt.role} prompt {prompt.hash[:12]}",
        ),
        system=model.sampling.get("system"),
    )
