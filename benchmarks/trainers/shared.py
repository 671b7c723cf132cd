"""What the trainers beside comd's share: the same dialogues, and a clock."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import TrainerCallback


def lines(room: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (room / "examples.jsonl").read_text().splitlines()]


def read(room: Path) -> list[dict[str, Any]]:
    """Rows with pictures opened, as a data set that is in memory gives them."""
    pictures = {
        path.name: Image.open(path).convert("RGB") for path in (room / "pictures").iterdir()
    }
    return [row | {"image": pictures[row["image"]]} for row in lines(room)]


def conversation(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "role": "user",
            "content": [{"type": "image"}, {"type": "text", "text": row["question"]}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": row["answer"]}]},
    ]


class Clock(TrainerCallback):
    """Seconds from the end of step `warm_up` to the end of the last one."""

    def __init__(self, warm_up: int) -> None:
        self._warm_up = warm_up
        self._started = 0.0
        self.seconds = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        now = time.perf_counter()
        if state.global_step == self._warm_up:
            self._started = now
        self.seconds = now - self._started
