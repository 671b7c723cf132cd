"""One line of JSON per optimizer step, written and read while training runs. No torch here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from comd_training.files import written_aside


@dataclass(frozen=True, slots=True)
class Metric:
    """One optimizer step, over all ranks.

    loss: mean over the tokens that carry loss; `grad_norm`: before clipping, null where unknown;
    loss_tokens, tokens: that carry loss, and all without padding, in this step's batch;
    seconds: since the process started, imports and loading included; extra: the objective's own.
    """

    step: int
    loss: float
    learning_rate: float
    grad_norm: float | None
    loss_tokens: int
    tokens: int
    seconds: float
    extra: dict[str, float] = field(default_factory=dict)

    def to_line(self) -> str:
        told = {name: getattr(self, name) for name in self.__slots__ if name != "extra"}
        return json.dumps({**told, "extra": self.extra}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Metric:
        """Raises ValueError or TypeError for anything that `to_line` did not write."""
        return cls(**json.loads(line))


class MetricWriter:
    """Appends lines; each is handed to the system as it is written, so that a reader sees it."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("a", encoding="utf-8", buffering=1)

    def write(self, metric: Metric) -> None:
        self._file.write(metric.to_line())

    def close(self) -> None:
        self._file.close()


def keep_until(path: Path, step: int) -> None:
    """Only the lines up to `step` stay: what came after was not saved and will be written again."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return
    whole = [line.decode("utf-8") for line in lines if line.endswith(b"\n")]
    with written_aside(path) as aside:
        aside.write_text("".join(each for each in whole if Metric.from_line(each).step <= step))


class MetricTail:
    """Reads the lines that came since the last look; a line not yet ended waits for its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new(self) -> Iterator[Metric]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                piece = file.read()
        except FileNotFoundError:
            return
        whole = piece[: piece.rfind(b"\n") + 1]
        for line in whole.decode("utf-8").splitlines():
            # Counted before it is handed over: a consumer that raises has had it.
            self._position += len(line.encode("utf-8")) + 1
            yield Metric.from_line(line)
