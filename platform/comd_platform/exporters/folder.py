"""`export_run`: what a run has as a folder that explains itself: data, pictures, manifest, card."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.orm import Session

from comd_platform.exporters.card import dataset_card
from comd_platform.exporters.exporting import ExportManifest, export_pool
from comd_platform.exporters.registry import ExportError, find_format
from comd_platform.exporters.rows import NO_FILTERS, Filters, Scope
from comd_platform.exporters.sharegpt import dataset_info
from comd_platform.exporters.turns import Layout
from comd_platform.runs import RunError, chain, find_run
from comd_platform.settings import Settings
from comd_platform.tables import Iteration, Model, Run

AnswersOf = Literal["teacher", "student", "reference", "none"]
Pictures = Literal["copy", "link", "none"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; the manifest repeats it. `iteration` None: the last one.

    `pictures` are copied into the folder, hard-linked (the store's own files: never edit them), or
    left where they are; a format that embeds them needs none.
    """

    format: str = "llava"
    iteration: int | None = None
    scope: Scope = "cache"
    answers: AnswersOf = "teacher"
    layout: Layout = "dialogues"
    pictures: Pictures = "copy"
    seed: int = 0
    filters: Filters = NO_FILTERS


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """The folder, and what stands in its manifest.json."""

    folder: Path
    data: ExportManifest
    manifest: dict[str, Any]


def export_run(
    session: Session, settings: Settings, run: str, folder: Path, wanted: Wanted
) -> ExportedRun:
    """Write the pool of a run's iteration to `folder`. Raises RunError, ExportError."""
    kind = find_format(wanted.format)
    found = find_run(session, run)
    iteration = _iteration(session, found, wanted.iteration)
    beside = wanted.pictures != "none" and not kind.embeds
    model = _speaker(session, iteration, wanted.answers)
    data = export_pool(
        session,
        settings,
        pool_id=iteration.pool_id,
        out=folder / kind.file,
        format=wanted.format,
        scope=wanted.scope,
        answers=model.id if model else "reference" if wanted.answers == "reference" else None,
        layout=wanted.layout if wanted.answers != "none" else "single",
        seed=wanted.seed,
        images=folder / "images" if beside else None,
        link=wanted.pictures == "link",
        prefix="images/" if beside else "",
        assessed_in=iteration.id,
        filters=wanted.filters,
    )
    manifest = _manifest(found, iteration, model, wanted, data, kind.file)
    _write(folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    _write(folder / "README.md", dataset_card(manifest, kind.description))
    if wanted.format == "sharegpt":
        info = dataset_info(run, kind.file)
        _write(folder / "dataset_info.json", json.dumps(info, indent=2) + "\n")
    return ExportedRun(folder, data, manifest)


def _iteration(session: Session, run: Run, number: int | None) -> Iteration:
    found = chain(session, run)
    wanted = [iteration for iteration in found if number in (None, iteration.number)]
    if not wanted:
        raise RunError(
            f"run {run.name!r} has no iteration {number or 1}",
            hint=f"It has {len(found)}; comd iterate {run.name} goes on.",
        )
    return wanted[-1]


def _speaker(session: Session, iteration: Iteration, answers: AnswersOf) -> Model | None:
    if answers == "teacher":
        return session.get_one(Model, iteration.teacher_model_id)
    if answers == "student":
        if iteration.student_model_id is None:
            raise ExportError(
                f"iteration {iteration.number} has no student yet",
                hint="--iteration names another.",
            )
        return session.get_one(Model, iteration.student_model_id)
    return None


def _manifest(
    run: Run,
    iteration: Iteration,
    model: Model | None,
    wanted: Wanted,
    data: ExportManifest,
    file: str,
) -> dict[str, Any]:
    """No time and no machine in it: the same rows give the same folder."""
    counts = {
        field.name: getattr(data, field.name)
        for field in fields(data)
        if field.name not in {"path", "sha256"}
    }
    asked = {name: value for name, value in asdict(wanted).items() if value is not None}
    return {
        "made_by": f"comd {version('comd')}",
        "run": run.name,
        "run_seed": run.seed,
        "asked": asked | {"iteration": iteration.number},
        "answers": {
            "of": wanted.answers,
            "model": model.uri if model else None,
            "fingerprint": model.fingerprint if model else None,
        },
        "counts": counts,
        "files": [{"path": file, "sha256": data.sha256, "bytes": data.path.stat().st_size}],
        "config": run.config,
    }


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from error
