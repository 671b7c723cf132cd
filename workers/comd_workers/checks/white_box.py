"""Whether a run's teacher and student speak in the same tokens, as far as this machine can tell."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from comd_platform.config.engines import EngineConfig
from comd_platform.config.run import RunConfig
from comd_platform.errors import ComdError
from comd_training.failures import ConfigurationError
from comd_training.vocabulary import read_vocabulary, require_same
from comd_workers.checks.finding import Finding, error, note, ok

WHAT = "training.objective"


def white_box_findings(config: RunConfig) -> Iterator[Finding]:
    """Nothing for an objective without a teacher. Models that are not here are compared when the
    training starts, before its first step."""
    objective = config.training.objective
    if not objective.has_teacher:
        return
    student, teacher = (_directory(config.engine(role)) for role in ("student", "teacher"))
    ours = None if student is None else read_vocabulary(student)
    theirs = None if teacher is None else read_vocabulary(teacher)
    if ours is None or theirs is None:
        yield note(
            WHAT,
            f"{objective.name}: the vocabularies are compared when the training starts, since not both "
            "tokenizers are on this machine",
        )
        return
    try:
        require_same(ours, theirs)
    except ConfigurationError as refused:
        yield error(WHAT, str(refused))
    else:
        yield ok(WHAT, f"{objective.name}: teacher and student share {len(ours.ids):,} tokens")


def require_teachable(config: RunConfig) -> None:
    """Raises ComdError where the run is known to end in its first training."""
    for finding in white_box_findings(config):
        if finding.level == "error":
            raise ComdError(f"{finding.what}: {finding.said}", hint=finding.hint)


def _directory(engine: EngineConfig) -> Path | None:
    """A local model's, or where the hub's cache has it; nothing is downloaded."""
    path = Path(engine.model)
    if path.is_dir():
        return path
    if find_spec("huggingface_hub") is None or not engine.has_weights:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    revision = getattr(engine, "revision", None)
    try:
        found = try_to_load_from_cache(engine.model, "tokenizer.json", revision=revision)
    except HFValidationError:  # neither a directory nor a hub id; the model's own finding says so
        return None
    return Path(found).parent if isinstance(found, str) else None
