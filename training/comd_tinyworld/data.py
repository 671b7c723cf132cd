"""The data as any user would have theirs: a LLaVA JSON file, a folder of pictures, a held-out test.

    python -m comd_tinyworld.data --out DIR

writes `DIR/seed.json`, `DIR/test.jsonl` and the PNG files in `DIR/images`. Everything is drawn from
the world's seed: two runs write the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comd_tinyworld.characters import COMMON, NAMES, Character, characters, frequencies
from comd_tinyworld.questions import TYPES, Question, truth
from comd_tinyworld.roles import any_type, ask
from comd_tinyworld.scenes import HELD_OUT, Scene, Split, picture, scene
from comd_tinyworld.seeds import generator

SEED_IMAGES = 3_000
SEED_QUESTIONS = 3_000
KNOWLEDGE_SHARE = 0.6
"""Share of the seed questions, and of the natural test's, that ask for knowledge."""
KNOWLEDGE_EACH = 3
"""Test questions for each tail character and knowledge type."""
LOOK = 180
"""Test questions about looks."""
_NATURAL_OFFSET = 500_000
"""Scene indices from here on belong to a split's natural test."""


@dataclass(frozen=True)
class Asked:
    """A question about a scene."""

    scene: Scene
    question: Question

    @property
    def image(self) -> str:
        """The picture's file name."""
        return f"{self.scene.number:07d}.png"

    @property
    def answer(self) -> str:
        """The right answer."""
        return truth(self.scene, self.question.type)


def seed_set(images: int = SEED_IMAGES, asked: int = SEED_QUESTIONS) -> list[Asked]:
    """Pictures as people collect them (few show the tail), and `asked` questions over them.

    Question i is about picture `i % images`; no picture is asked the same question twice. Raises
    ValueError when an image would need more questions than there are.
    """
    if asked > 20 * images:
        raise ValueError(f"{asked} questions are too many for {images} images: at most 20 each")
    shown = _natural_scenes("seed", 0, images)
    rng = generator("seed questions")
    taken: set[tuple[int, Question]] = set()
    rows: list[Asked] = []
    for i in range(asked):
        picked = shown[i % images]
        question = ask(rng, any_type(rng, KNOWLEDGE_SHARE))
        while (picked.number, question) in taken:
            question = ask(rng, any_type(rng, KNOWLEDGE_SHARE))
        taken.add((picked.number, question))
        rows.append(Asked(picked, question))
    return rows


def balanced_test(split: Split, each: int = KNOWLEDGE_EACH, look: int = LOOK) -> list[Asked]:
    """The held-out test: every tail character alike, `each` questions a knowledge type, and `look`.

    Every question has a picture of its own. Raises ValueError for a split that is trained on.
    """
    _check_held_out(split)
    rng = generator(f"{split} questions")
    tail = characters()[COMMON:]
    rows: list[Asked] = []
    for character in tail:
        for kind in TYPES["knowledge"]:
            for _ in range(each):
                rows.append(Asked(scene(split, len(rows), character), ask(rng, kind)))
    for i in range(look):
        kind = TYPES["look"][i % len(TYPES["look"])]
        character = tail[int(rng.integers(len(tail)))]
        rows.append(Asked(scene(split, len(rows), character), ask(rng, kind)))
    return rows


def natural_test(split: Split, asked: int = 1_000) -> list[Asked]:
    """A held-out test distributed like the seed set: mostly famous and frequent characters."""
    _check_held_out(split)
    rng = generator(f"{split} natural questions")
    shown = _natural_scenes(split, _NATURAL_OFFSET, asked)
    return [Asked(s, ask(rng, any_type(rng, KNOWLEDGE_SHARE))) for s in shown]


def _natural_scenes(split: Split, offset: int, count: int) -> list[Scene]:
    rng = generator(f"{split} characters")
    ranks = rng.choice(len(NAMES), size=count, p=frequencies()).tolist()
    return [scene(split, offset + i, characters()[rank]) for i, rank in enumerate(ranks)]


def _check_held_out(split: Split) -> None:
    if split not in HELD_OUT:
        raise ValueError(f"{split} is trained on; a test comes from one of {', '.join(HELD_OUT)}")


def llava_record(asked: Asked, number: int) -> dict[str, Any]:
    """One record of the LLaVA instruction format, a single turn."""
    return {
        "id": f"tinyworld-{number:06d}",
        "image": asked.image,
        "task_type": asked.question.kind,
        "conversations": [
            {"from": "human", "value": f"<image>\n{asked.question.text}"},
            {"from": "gpt", "value": asked.answer},
        ],
    }


def test_record(asked: Asked, number: int) -> dict[str, Any]:
    """One item of the held-out test, with the groups that its accuracy is reported by."""
    character: Character = asked.scene.character
    knowledge = asked.question.kind == "knowledge"
    return {
        "id": f"{asked.scene.split}-{number:06d}",
        "image": asked.image,
        "question": asked.question.text,
        "answers": [asked.answer],
        "groups": {
            "class": asked.question.kind,
            "type": asked.question.type,
            "third": character.third if knowledge else "none",
            "character": character.name,
        },
    }


def write_pictures(rows: Iterable[Asked], directory: Path) -> int:
    """Write each picture once, as PNG; returns how many there are."""
    directory.mkdir(parents=True, exist_ok=True)
    by_file = {row.image: row.scene for row in rows}
    for name, shown in by_file.items():
        picture(shown).save(directory / name, format="PNG", optimize=False)
    return len(by_file)


def write_seed_set(rows: Sequence[Asked], path: Path) -> None:
    """Write LLaVA JSON, one record a line inside the list."""
    lines = (json.dumps(llava_record(row, i)) for i, row in enumerate(rows))
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def write_test(rows: Sequence[Asked], path: Path) -> None:
    """Write the held-out test as JSONL."""
    lines: Iterator[str] = (json.dumps(test_record(row, i)) for i, row in enumerate(rows))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write seed set, test and pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=SEED_IMAGES)
    parser.add_argument("--questions", type=int, default=SEED_QUESTIONS)
    parser.add_argument("--split", choices=HELD_OUT, default="test-demo", help="of the test")
    parser.add_argument(
        "--each", type=int, default=KNOWLEDGE_EACH, help="a tail character and type"
    )
    parser.add_argument("--look", type=int, default=LOOK)
    parser.add_argument("--natural", type=int, default=0, help="size of a natural test beside it")
    chosen = parser.parse_args(arguments)
    write_all(
        chosen.out,
        seed=seed_set(chosen.images, chosen.questions),
        test=balanced_test(chosen.split, chosen.each, chosen.look),
        natural=natural_test(chosen.split, chosen.natural) if chosen.natural else (),
    )


def write_all(
    out: Path, *, seed: Sequence[Asked], test: Sequence[Asked], natural: Sequence[Asked] = ()
) -> None:
    """Write `seed.json`, `test.jsonl`, `natural.jsonl` where asked for, and `images/`."""
    write_pictures([*seed, *test, *natural], out / "images")
    write_seed_set(seed, out / "seed.json")
    write_test(test, out / "test.jsonl")
    if natural:
        write_test(natural, out / "natural.jsonl")


if __name__ == "__main__":
    main()
