"""The demo's run and its two baselines, as configs that a user could have written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from comd_tinyworld import weights_path
from comd_tinyworld.prompts import Role, prompt_path

POOL = "tinyworld"
BENCHMARK = "tinyworld-test"
SEED_IMAGES = 3_000
ITERATIONS = 4
STEPS = 100
NEW = 1_000


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of choosing what the student learns next; `overrides` make it a branch."""

    suffix: str
    title: str
    overrides: tuple[str, ...]

    def name(self, base: str) -> str:
        return f"{base}{self.suffix}"


COMPETITIVE = Arm("", "competitive (CoMD)", ())
BASELINES = (
    Arm("-random", "random augmentation", ("method.selection=random",)),
    Arm("-seed-only", "seed pool only", ("method.selection=none",)),
)
ARMS = (COMPETITIVE, *BASELINES)


def run_document(name: str, seed: int) -> dict[str, Any]:
    """The competitive run's config. Answers are a word, so few tokens are enough."""
    return {
        "name": name,
        "pool": POOL,
        "seed": seed,
        "iterations": ITERATIONS,
        "teacher": _role("teacher", tokens=8, model="teacher"),
        "student": _role("student", tokens=8, model="student", temperature=0.0),
        "assessor": _role("assessor", tokens=16),
        "augmentor": _role("augmentor", tokens=24, temperature=1.0),
        "method": {"max_new": NEW},
        "training": {
            "max_steps": STEPS,
            "batch_size": 32,
            "learning_rate": 2e-3,
            "precision": "fp32",
            "device": "cpu",
            "threads": 1,
            "zero_stage": 1,
            "max_length": 256,
            "batching": "padded",  # answers are a word: nothing to gain, and the tables stay as they are
        },
        "evaluation": {"benchmarks": [BENCHMARK], "max_new_tokens": 8},
    }


def _role(
    role: Role,
    *,
    tokens: int,
    model: Literal["teacher", "student"] | None = None,
    temperature: float = 0.5,
) -> dict[str, Any]:
    section: dict[str, Any] = {
        "sampling": {"temperature": temperature, "max_new_tokens": tokens},
        "prompt": str(prompt_path(role)),
        "batch": 512,
    }
    if model is not None:
        section["model"] = {
            "engine": "hf",
            "model": str(weights_path(model)),
            "device": "cpu",
            "dtype": "float32",
            "batch_size": 128,
        }
    return section
