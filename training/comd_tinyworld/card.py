"""Model cards: what a model is, how it was made, and how good it was measured to be."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from comd_tinyworld.characters import COMMON, NAMES, characters
from comd_tinyworld.language import Recipe
from comd_tinyworld.measure import (
    AUGMENTOR_TEMPERATURE,
    TEMPERATURE,
    Quality,
    answer_quality,
    augmentor_quality,
    judge_quality,
)
from comd_tinyworld.models import Part
from comd_tinyworld.scenes import Split

Measured = dict[str, Quality]
QUALITY_FILE = "quality.json"
_SPLIT: Split = "dev"
_JUDGED = 1_000
_AUGMENTED = 1_000

_ABOUT: dict[Part, str] = {
    "teacher": """\
It knows every character of the world and plays three roles, each by its own prompt
(`comd_tinyworld/prompts`): it answers questions, it scores two answers, it writes new questions.""",
    "student": f"""\
It knows the {COMMON} famous characters and how to look, and has never met the other
{len(NAMES) - COMMON}. It only answers.""",
}


def measure_teacher(model: LlavaForConditionalGeneration, processor: LlavaProcessor) -> Measured:
    """The teacher in its three roles, at the temperatures they are used with."""
    torch.manual_seed(0)
    everybody = characters()
    return {
        "answers": answer_quality(model, processor, everybody, _SPLIT, TEMPERATURE),
        "judge": judge_quality(model, processor, _SPLIT, _JUDGED),
        "augmentor": augmentor_quality(model, processor, _SPLIT, _AUGMENTED),
    }


def measure_student(model: LlavaForConditionalGeneration, processor: LlavaProcessor) -> Measured:
    """The student's answers, greedy, on what it was taught and on what it was not."""
    famous, tail = characters()[:COMMON], characters()[COMMON:]
    return {
        "common characters": answer_quality(model, processor, famous, _SPLIT, 0.0),
        "tail characters": answer_quality(model, processor, tail, _SPLIT, 0.0),
    }


def write_card(
    directory: Path,
    part: Part,
    model: LlavaForConditionalGeneration,
    recipe: Recipe,
    seconds: float,
    measured: Measured,
) -> None:
    """Write README.md, the card, and quality.json, its numbers, beside the weights."""
    (directory / QUALITY_FILE).write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    parameters = sum(p.numel() for p in model.parameters())
    tables = "\n\n".join(_table(name, quality) for name, quality in measured.items())
    sampling = (
        f"temperature {TEMPERATURE} (augmentor {AUGMENTOR_TEMPERATURE})"
        if part == "teacher"
        else "greedily"
    )
    text = f"""\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---
# Tinyworld {part}

A `LlavaForConditionalGeneration` of {parameters:,} parameters for 24 x 24 pictures of comd's
tinyworld. {_ABOUT[part]}

Made by `python -m comd_tinyworld.make` from nothing, on procedurally drawn pictures only:
{recipe.steps} steps of {recipe.batch} dialogues, AdamW at {recipe.learning_rate}, one cycle,
{seconds:.0f} s on one CPU thread, after the CLIP tower that teacher and student share. The tower
stays frozen. It is of no use for other pictures or other questions.

## Measured quality

On fresh scenes of the `{_SPLIT}` split, whose combinations of character, colour, place and time no
training picture shows; generated through the processor's chat template, {sampling}.

{tables}
"""
    (directory / "README.md").write_text(text, encoding="utf-8")


def _table(name: str, quality: Quality) -> str:
    rows = "\n".join(f"| {key.replace('_', ' ')} | {value:.3f} |" for key, value in quality.items())
    return f"| {name} | share |\n|---|---|\n{rows}"
