"""lmms-eval as a bridge: it is handed a model, its results are read back.

It stands in an environment of its own, as vLLM does: only its command is needed, named by
COMD_LMMS_EVAL or found on the path. It loads weights itself, so only models that transformers loads
can be handed to it.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from comd_platform.errors import ComdError

VARIABLE: Final = "COMD_LMMS_EVAL"
PREFIX: Final = "lmms-eval:"
_NAMES: Final = ("lmms-eval", "lmms_eval")


class BridgeFailed(ComdError):
    """lmms-eval is not there, or did not come to an end with results."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one task, as lmms-eval reports it; `standard_error` where it gives one."""

    task: str
    metric: str
    value: float
    standard_error: float | None


def find_command() -> list[str]:
    """The command that starts it. Raises BridgeFailed where it is not installed."""
    given = os.environ.get(VARIABLE)
    if given:
        return shlex.split(given)
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise BridgeFailed(
            "lmms-eval is not installed",
            hint=f"Install it in an environment of its own and set {VARIABLE} to its command, "
            "for example '/opt/lmms/bin/python -m lmms_eval'.",
        )
    return [found]


def measure(
    weights: str, task: str, output: Path, *, revision: str | None = None, kind: str = "llava_hf"
) -> list[Measured]:
    """Run one task on the weights at a path or hub id, and read its results from `output`.

    `kind` is lmms-eval's name for the model's family. Raises BridgeFailed with the end of its log.
    """
    output.mkdir(parents=True, exist_ok=True)
    arguments = f"pretrained={weights}" + (f",revision={revision}" if revision else "")
    command = [*find_command(), "--model", kind, "--model_args", arguments, "--tasks", task]
    command += ["--batch_size", "1", "--log_samples", "--output_path", str(output)]
    log = output / "lmms-eval.log"
    try:
        with log.open("wb") as said:
            done = subprocess.run(  # noqa: S603 - the user's own command
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False
            )
    except OSError as error:
        raise BridgeFailed(
            f"{command[0]} cannot be started: {error.strerror}", hint=f"{VARIABLE} names it."
        ) from error
    if done.returncode:
        end = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise BridgeFailed(
            f"lmms-eval ended with status {done.returncode}: {''.join(end)}",
            hint=f"The whole of what it said is in {log}.",
        )
    return list(read_results(output))


def read_results(output: Path) -> Iterator[Measured]:
    """The metrics of the newest `*results.json` under `output`. Raises BridgeFailed without one."""
    files = sorted(output.rglob("*results.json"), key=lambda path: path.stat().st_mtime)
    if not files:
        raise BridgeFailed(f"lmms-eval left no results in {output}")
    document: dict[str, Any] = json.loads(files[-1].read_text(encoding="utf-8"))
    for task, metrics in document.get("results", {}).items():
        for name, value in metrics.items():
            metric, _, chosen = name.partition(",")
            if metric.endswith("_stderr") or isinstance(value, bool | str) or value is None:
                continue
            if not isinstance(value, int | float):
                continue
            error = metrics.get(f"{metric}_stderr,{chosen}" if chosen else f"{metric}_stderr")
            spread = float(error) if isinstance(error, int | float) else None
            yield Measured(task, metric, float(value), spread)
