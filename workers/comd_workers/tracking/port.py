"""What a tracker has to do, and the ones there are. Another is a file and a line here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from comd_platform.errors import ComdError


class Tracker(Protocol):
    """Takes named numbers by step, in ascending order."""

    def seen(self) -> int:
        """The last step that it holds of this run, 0 for none: what comes earlier is not told again."""
        ...

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class Opens(Protocol):
    """How a tracker is opened for a run; `place` is where it writes, for those that write files."""

    def __call__(self, run: str, config: Mapping[str, object], place: Path) -> Tracker: ...


TRACKERS = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
"""Name -> the package that it needs; the module of that name in this folder has `open_tracker`."""


def open_tracker(name: str, run: str, config: Mapping[str, object], place: Path) -> Tracker:
    """Raises ComdError for a tracker that is not known or not installed."""
    if name not in TRACKERS:
        raise ComdError(f"there is no tracker {name!r}", hint=f"Known: {', '.join(TRACKERS)}.")
    try:
        importlib.import_module(TRACKERS[name])
    except ImportError as error:
        raise ComdError(
            f"{TRACKERS[name]} is not installed", hint=f"pip install 'comd[{name}]'"
        ) from error
    module = importlib.import_module(f"comd_workers.tracking.{name}_tracker")
    return cast("Opens", module.open_tracker)(run, config, place)
