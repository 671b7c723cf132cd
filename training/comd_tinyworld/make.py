"""Makes the shipped models from nothing: tower, teacher, untuned student, their model cards.

    python -m comd_tinyworld.make --out DIR

Seeded, one thread a process: the same versions on the same kind of machine give the same weights.
Teacher and student are trained side by side once the tower they share is there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import CLIPVisionModel, LlavaForConditionalGeneration

from comd_tinyworld.card import measure_student, measure_teacher, write_card
from comd_tinyworld.curriculum import (
    student_examples,
    student_scenes,
    teacher_examples,
    teacher_scenes,
)
from comd_tinyworld.language import Recipe, train_language
from comd_tinyworld.models import Part, build_llava
from comd_tinyworld.processor import build_processor
from comd_tinyworld.seeds import WORLD_SEED
from comd_tinyworld.tower import features, train_tower

RECIPES: dict[Part, Recipe] = {
    "teacher": Recipe(steps=4_800, batch=64, learning_rate=1.5e-3),
    "student": Recipe(steps=300, batch=64, learning_rate=2e-3),
}


def make(out: Path) -> None:
    """Train everything and write `out/teacher` and `out/student`."""
    _prepare(0)
    started = time.perf_counter()
    tower, losses = train_tower()
    _say(
        f"tower: {len(losses)} steps, loss {losses[-1]:.3f}, {time.perf_counter() - started:.0f} s"
    )
    out.mkdir(parents=True, exist_ok=True)
    tower_file = out / "tower.tmp"
    tower.save_pretrained(tower_file)
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=make_language, args=(part, tower_file, out / part))
        for part in RECIPES
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    for leftover in tower_file.iterdir():
        leftover.unlink()
    tower_file.rmdir()
    if failed := [p.name for p in processes if p.exitcode != 0]:
        raise SystemExit(f"training failed in {', '.join(failed)}")


def make_language(part: Part, tower_file: Path, out: Path) -> None:
    """Train one of the two around a saved tower, measure it and write it with its card."""
    _prepare(1 + list(RECIPES).index(part))
    started = time.perf_counter()
    tower = CLIPVisionModel.from_pretrained(tower_file).eval()
    tower.config.name_or_path = ""  # a path of this machine has no place in a shipped model
    processor = build_processor()
    scenes = teacher_scenes() if part == "teacher" else student_scenes()
    seen = features(tower, scenes)
    model = build_llava(part, tower, seen[:2_000])
    examples = teacher_examples(scenes) if part == "teacher" else student_examples(scenes)
    recipe = RECIPES[part]

    def tell(step: int, loss: float) -> None:
        if step % 100 == 0:
            seconds = time.perf_counter() - started
            _say(f"{part}: step {step} of {recipe.steps}, loss {loss:.3f}, {seconds:.0f} s")

    train_language(model, processor, seen, examples, recipe, tell)
    seconds = time.perf_counter() - started
    model.save_pretrained(out)
    processor.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # written for its owner alone
    saved = LlavaForConditionalGeneration.from_pretrained(out).eval()
    measured = (measure_teacher if part == "teacher" else measure_student)(saved, processor)
    write_card(out, part, saved, recipe, seconds, measured)


def _prepare(offset: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(WORLD_SEED + offset)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True)
    make(parser.parse_args(arguments).out)


if __name__ == "__main__":
    main()
