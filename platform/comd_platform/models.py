"""Model rows: what is said depends on weights, engine, sampling and prompt, so all four are named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from comd_platform.config.bootstrap import BootstrapConfig
from comd_platform.config.engines import EngineConfig
from comd_platform.config.run import Role, RunConfig, SamplingConfig
from comd_platform.evaluation.benchmarks import BENCHMARKS
from comd_platform.method.prompts import Prompt, load_prompt
from comd_platform.tables import Benchmark, Checkpoint, Model, TrainingRun
from comd_platform.tables import Prompt as PromptRow

_SAMPLE_BYTES = 1 << 20


def role_model(
    session: Session, config: RunConfig, role: Role, checkpoint: Checkpoint | None = None
) -> int:
    """The model row of a role; of the student's `checkpoint` where one is given."""
    section = config.role(role)
    prompt = load_prompt(role, section.prompt)
    return ensure_model(
        session, config.engine(role), section.sampling, prompt, section.system, checkpoint
    )


def bootstrap_model(session: Session, config: RunConfig, bootstrap: BootstrapConfig) -> int:
    """The augmentor's model row with the prompt that asks for first questions."""
    section = config.augmentor
    prompt = load_prompt("augmentor", bootstrap.prompt, shipped="bootstrap")
    return ensure_model(
        session, config.engine("augmentor"), section.sampling, prompt, section.system
    )


def checkpoint_model(
    session: Session, config: RunConfig, base: Model, checkpoint: Checkpoint
) -> int:
    """The model row of a tuned student: its base's prompt, from the rows and not from a file."""
    prompt = session.get_one(PromptRow, base.prompt_hash)
    section = config.student
    return ensure_model(
        session,
        section.model,
        section.sampling,
        Prompt("student", prompt.template, name=f"student prompt {prompt.hash[:12]}"),
        section.system,
        checkpoint,
    )


def evaluation_model(
    session: Session,
    config: RunConfig,
    benchmark: Benchmark,
    role: Role,
    checkpoint: Checkpoint | None = None,
) -> int:
    """The model row that answers a benchmark: the student's prompt, the evaluation's sampling."""
    sampling = _evaluation_sampling(config, benchmark)
    prompt = load_prompt("student", config.student.prompt)
    return ensure_model(
        session, config.engine(role), sampling, prompt, config.role(role).system, checkpoint
    )


def _evaluation_sampling(config: RunConfig, benchmark: Benchmark) -> SamplingConfig:
    """What the config says of this benchmark, else the paper's values for its kind, else the run's."""
    chosen = config.evaluation.sampling.get(benchmark.name)
    if chosen is not None:
        return SamplingConfig(temperature=chosen.temperature, max_new_tokens=chosen.max_new_tokens)
    kind = BENCHMARKS[benchmark.kind]
    temperature, longest = kind.temperature, kind.max_new_tokens
    return SamplingConfig(
        temperature=config.evaluation.temperature if temperature is None else temperature,
        max_new_tokens=longest or config.evaluation.max_new_tokens,
    )


def ensure_model(
    session: Session,
    engine: EngineConfig,
    sampling: SamplingConfig,
    prompt: Prompt,
    system: str | None,
    checkpoint: Checkpoint | None = None,
) -> int:
    """The id of the row with this fingerprint, made where it is new."""
    identity = engine.identity()
    revision = getattr(engine, "revision", None) or directory_digest(Path(engine.model))
    if checkpoint is not None:
        training = session.get_one(TrainingRun, checkpoint.training_run_id)
        identity = {**identity, "model": f"checkpoint:{training.key}", "revision": None}
        revision = checkpoint.weights_sha256
    said = sampling.model_dump(mode="json") | {"system": system}
    fingerprint = _hash(
        {"identity": identity, "revision": revision, "sampling": said, "prompt": prompt.hash}
    )
    known = session.scalar(select(Model.id).where(Model.fingerprint == fingerprint))
    if known is not None:
        return known
    session.execute(
        insert(PromptRow)
        .values(hash=prompt.hash, role=prompt.role, template=prompt.template)
        .on_conflict_do_nothing()
    )
    session.execute(
        insert(Model)
        .values(
            fingerprint=fingerprint,
            uri=str(identity["model"]),
            revision=revision,
            engine=engine.engine,
            identity=identity,
            sampling=said,
            prompt_hash=prompt.hash,
            checkpoint_id=checkpoint.id if checkpoint else None,
        )
        .on_conflict_do_nothing(index_elements=["fingerprint"])
    )
    return session.scalars(select(Model.id).where(Model.fingerprint == fingerprint)).one()


def directory_digest(directory: Path) -> str | None:
    """A quick digest of a local model's files, so that other weights at the same path are another
    model; None where there is no such directory on this machine (a hub id).

    Of each file: name, size, first and last mebibyte. Hashing 26 GB would take minutes.
    """
    if not directory.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(directory.iterdir()):
        if path.suffix not in {".safetensors", ".json", ".jinja", ".model"}:
            continue
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_SAMPLE_BYTES)
            file.seek(max(0, size - _SAMPLE_BYTES))
            tail = file.read(_SAMPLE_BYTES)
        digest.update(f"{path.name}:{size}:".encode() + head + tail)
    return digest.hexdigest()


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
