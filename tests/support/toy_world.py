"""A seed set of small pictures with two questions each, and a run config on scripted engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import Engine

from comd_platform.config.load import parse_config
from comd_platform.config.run import RunConfig
from comd_platform.evaluation.items import import_benchmark
from comd_platform.importers import import_file
from comd_platform.settings import Settings

MARKERS = {"assessor": "[Answer of Assistant 1]", "augmentor": "Write ONE new instruction"}


def import_toy_world(engine: Engine, settings: Settings, folder: Path, pictures: int = 12) -> None:
    """Import the pool `toy` (two questions a picture) and the benchmark `toy-test`."""
    images = folder / "images"
    images.mkdir(parents=True)
    records, items = [], []
    for number in range(pictures):
        name = f"p{number}.png"
        colour = (number * 7 % 255, 255 - number * 3 % 255, number * 31 % 255)
        Image.new("RGB", (8 + number % 5, 8), colour).save(images / name)
        held_out = f"t{number}.png"
        Image.new("RGB", (8 + number % 5, 9), colour).save(images / held_out)
        asked = [f"What is thing number {number} doing here?", f"Who painted picture {number}?"]
        turns = [
            {"from": speaker, "value": value}
            for question in asked
            for speaker, value in (("human", question), ("gpt", "something"))
        ]
        records.append({"id": str(number), "image": name, "conversations": turns})
        items.append({"id": f"t{number}", "image": held_out, "question": "Is it?", "answer": "yes"})
    (folder / "toy.json").write_text(json.dumps(records))
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, items)))
    import_file(engine, settings, path=folder / "toy.json", images=images, pool="toy")
    import_benchmark(engine, settings, path=folder / "test.jsonl", images=images, name="toy-test")


def toy_config(**sections: Any) -> RunConfig:
    """A run of three iterations in which a scripted student learns; `sections` go over it."""
    document: dict[str, Any] = {
        "name": "toy",
        "pool": "toy",
        "iterations": 3,
        "seed": 3,
        "teacher": {
            "model": {"engine": "scripted", "model": "quiz", "options": {"markers": MARKERS}},
            "batch": 5,
        },
        "student": {
            "model": {
                "engine": "scripted",
                "model": "quiz",
                "options": {"role": "student", "skill": 0.3},
            },
            "batch": 5,
        },
        "assessor": {"batch": 5},
        "augmentor": {"batch": 5},
        "evaluation": {"benchmarks": ["toy-test"]},
    }
    return parse_config(document | sections)
