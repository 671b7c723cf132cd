"""From the rows of the played runs to one small file of raw results."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from comd_platform.db.engine import transaction
from comd_platform.reports.evaluations import group_labels, group_scores, run_scores
from comd_platform.reports.summary import run_summary
from comd_platform.reports.training import trainings
from comd_platform.runs import chain, find_run
from comd_workers.evidence.play import Evidence
from comd_workers.evidence.truth import against_truth

_GROUPS = ("class", "third", "type")
_FLAGGED_BY_DOUBT = {"competitive": False, "uncertainty": True}


def collect(engine: Engine, evidence: Evidence, ended: dict[str, str]) -> dict[str, Any]:
    """Scores by arm, seed, iteration, benchmark and group; pools and training of each iteration."""
    references = (evidence.arms[0].name, evidence.seeds[0])
    with transaction(engine) as session:
        return {
            "split": evidence.split,
            "seeds": list(evidence.seeds),
            "arms": [{"name": arm.name, "title": arm.title} for arm in evidence.arms],
            "ended_early": ended,
            "made": _made(),
            "scores": [
                row for each in _runs(evidence) for row in _scores(session, *each, references)
            ],
            "iterations": [row for each in _runs(evidence) for row in _iterations(session, *each)],
            "truth": [row for each in _runs(evidence) for row in _truth(session, *each)],
        }


def write_results(results: dict[str, Any], path: Path) -> None:
    """One line a row, so that a change of one row is a change of one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = []
    for name, value in results.items():
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            parts.append(f'"{name}": [\n{rows}\n]')
        else:
            parts.append(f'"{name}": {json.dumps(value)}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _made() -> dict[str, str]:
    """When, where and with what: figures without these say little."""
    names = ("torch", "transformers", "deepspeed")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} CPU cores, no GPU",
        "versions": f"Python {platform.python_version()}, {versions}",
    }


def _runs(evidence: Evidence) -> Iterator[tuple[str, str, int, str]]:
    """(run, arm, seed, split) of everything played."""
    for seed in evidence.seeds:
        for arm in evidence.arms:
            yield evidence.run_name(seed, arm), arm.name, seed, evidence.split


def _scores(
    session: Session, run: str, arm: str, seed: int, split: str, references: tuple[str, int]
) -> Iterator[dict[str, Any]]:
    run_id = find_run(session, run).id
    groups: dict[tuple[str, str, int | None], dict[str, float]] = {}
    for label in set(group_labels(session, run_id)) & set(_GROUPS):
        for row in group_scores(session, run_id, label):
            values = groups.setdefault((row.benchmark, row.who, row.iteration), {})
            values[f"{label}={row.value}"] = round(row.score, 4)
    for each in run_scores(session, run_id):
        # Teacher and untuned student are the same in every run.
        if each.iteration is None and (arm, seed) != references:
            continue
        found = groups.get((each.benchmark, each.who, each.iteration), {})
        yield {
            "arm": arm,
            "seed": seed,
            "test": each.benchmark.removeprefix(f"{split}-"),
            "who": each.who,
            "iteration": each.iteration,
            "items": each.items,
            "score": round(each.score, 4),
            **dict(sorted(found.items())),
        }


def _iterations(
    session: Session, run: str, arm: str, seed: int, _split: str
) -> Iterator[dict[str, Any]]:
    run_id = find_run(session, run).id
    tuned = {row.iteration: row for row in trainings(session, run_id)}
    for row in run_summary(session, run_id):
        training = tuned.get(row.iteration)
        yield {
            "arm": arm,
            "seed": seed,
            "iteration": row.iteration,
            "new": row.tuning_pool if row.generated else 0,
            "cache": row.cache_pool,
            "difficult": row.difficult,
            "easy": row.easy,
            "unscored": row.unscored,
            "flips": row.flips,
            "teacher": _short(row.teacher_score),
            "student": _short(row.student_score),
            "examples": training.examples if training else 0,
            "dialogues": training.dialogues if training else 0,
            "steps": training.steps if training else 0,
            "loss": _short(training.last_loss if training else None),
            "seconds": _short(training.seconds if training else None),
        }


def _truth(
    session: Session, run: str, arm: str, seed: int, _split: str
) -> Iterator[dict[str, Any]]:
    """Flags against the truth: of the paper's arm, and of the one that flags by doubt."""
    if arm not in _FLAGGED_BY_DOUBT:
        return
    found = find_run(session, run)
    threshold = found.config["method"]["difficulty_threshold"]
    for iteration in chain(session, found)[:-1]:  # the last one is not assessed
        measured = against_truth(session, iteration.id, threshold, _FLAGGED_BY_DOUBT[arm])
        yield {"arm": arm, "seed": seed, "iteration": iteration.number, **measured}


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
