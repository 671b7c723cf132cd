"""`comd evaluate RUN --benchmark lmms-eval:TASK`: the run's models, handed to lmms-eval one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from sqlalchemy.orm import Session

from comd_platform.config.engines import EngineConfig, HfConfig
from comd_platform.errors import ComdError
from comd_platform.runs import chain, find_run, run_config
from comd_platform.settings import Settings
from comd_platform.tables import Checkpoint, Model
from comd_workers.cli.connect import database
from comd_workers.cli.output import print_json, table
from comd_workers.lmms_eval import PREFIX, Measured, find_command, measure, read_results


@dataclass(frozen=True, slots=True)
class Handed:
    """One model of the run, as lmms-eval is told of it."""

    who: str
    weights: str
    revision: str | None
    output: Path


def evaluate_bridge(
    run: str, benchmark: str, iterations: Sequence[int] | None, *, as_json: bool
) -> None:
    """Measure teacher, untuned student and checkpoints. What was measured before is read back."""
    from comd_platform.db.engine import transaction

    task = benchmark.removeprefix(PREFIX)
    find_command()
    with database() as (engine, settings), transaction(engine) as session:
        handed = _models(session, settings, run, task, iterations)
    found: list[tuple[str, Measured]] = []
    for model in handed:
        typer.echo(f"{model.who}: {model.weights}", err=True)
        done = model.output.exists() and any(model.output.rglob("*results.json"))
        results = (
            read_results(model.output)
            if done
            else measure(model.weights, task, model.output, revision=model.revision)
        )
        found += [(model.who, result) for result in results]
    if as_json:
        print_json([{"model": who, "result": result} for who, result in found])
        return
    table(
        None,
        ("model", "task", "metric", "value", "standard error"),
        [(who, each.task, each.metric, each.value, each.standard_error) for who, each in found],
        left=3,
    )


def _models(
    session: Session, settings: Settings, run: str, task: str, iterations: Sequence[int] | None
) -> list[Handed]:
    found = find_run(session, run)
    config = run_config(found)
    output = settings.artifact_root / "lmms-eval" / task
    handed = [
        _handed("teacher", config.engine("teacher"), output),
        _handed("untuned student", config.engine("student"), output),
    ]
    for iteration in chain(session, found):
        if iteration.student_model_id is None or iteration.number not in (
            iterations or [iteration.number]
        ):
            continue
        model = session.get_one(Model, iteration.student_model_id)
        checkpoint = session.get_one(Checkpoint, model.checkpoint_id)
        engine = config.engine("student").with_model(str(settings.artifact_root / checkpoint.path))
        folder = output / checkpoint.weights_sha256[:16]
        name = f"student {iteration.number}"
        handed.append(Handed(name, _weights(name, engine), None, folder))
    return handed


def _handed(who: str, engine: EngineConfig, output: Path) -> Handed:
    weights = _weights(who, engine)
    revision = getattr(engine, "revision", None)
    return Handed(who, weights, revision, output / f"{weights}@{revision}".replace("/", "--"))


def _weights(who: str, engine: EngineConfig) -> str:
    if not isinstance(engine, HfConfig):
        raise ComdError(
            f"the {who} runs on the engine {engine.engine}, and lmms-eval loads weights itself",
            hint="Only models of the engine hf can be handed to it.",
        )
    return engine.model
