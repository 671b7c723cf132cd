"""TensorBoard: an event file under `place`/RUN, written without torch."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

_SUFFIX = ".comd"


class TensorBoardTracker:
    """Writes the whole history anew: the rows are the truth, and an event file cannot be amended."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"events.out.tfevents.*{_SUFFIX}"):
            old.unlink()
        self._writer = EventFileWriter(str(folder), filename_suffix=_SUFFIX)

    def seen(self) -> int:
        return 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        summary = Summary(
            value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        )
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        self._writer.close()


def open_tracker(run: str, config: Mapping[str, object], place: Path) -> TensorBoardTracker:
    tracker = TensorBoardTracker(place / run)
    (place / run / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    return tracker
