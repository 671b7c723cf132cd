"""What a finished training says about itself. No torch here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from comd_training.files import write_json

RESULT_IN_CHECKPOINT = "comd_training.json"


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A complete checkpoint and how it came about.

    train_loss: mean of the steps' losses; `tokens`, `loss_tokens`: seen in all, without padding;
    seconds: of the training process, start-up included; `weights_sha256`: over the safetensors
    files; frozen_tensors: how many were compared, bit by bit, with the model started from;
    fingerprint: `TrainingSpec.fingerprint()` of what was asked.
    """

    checkpoint: Path
    steps: int
    dialogues: int
    train_loss: float
    tokens: int
    loss_tokens: int
    seconds: float
    weights_sha256: str
    frozen_tensors: int
    fingerprint: str

    def write(self, path: Path) -> None:
        write_json(path, asdict(self) | {"checkpoint": self.checkpoint.name})


def read_result(checkpoint: Path) -> TrainingResult | None:
    """The result that stands inside a checkpoint directory; None where there is no checkpoint.

    It is part of the directory that is renamed into place, so where it stands the rest does too.
    """
    try:
        told = json.loads((checkpoint / RESULT_IN_CHECKPOINT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return TrainingResult(**(told | {"checkpoint": checkpoint}))


def weights_sha256(checkpoint: Path) -> str:
    """One digest over the names and bytes of the safetensors files, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(checkpoint.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(path.name.encode())
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
