"""Tinyworld: a small real world for the demo, for tests and for evidence.

Pictures of 96 characters, of whom a few are famous and most are rare; questions about them whose
answers are known; and two genuine LLaVA models, small enough to train on a laptop's CPU. Importing
the package costs nothing; only what trains or measures models needs torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def weights_path(model: Literal["teacher", "student"]) -> Path:
    """The directory of a shipped model: safetensors, configuration, processor and model card."""
    return Path(__file__).parent / "weights" / model
