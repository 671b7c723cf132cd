"""Rows to compare: a pool, a benchmark, pictures drawn at random, in one transaction."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from comd_platform.config.decontamination import DecontaminationConfig
from comd_platform.db.engine import transaction
from comd_platform.images import ImageStore, register_images
from comd_platform.keys import root_key
from comd_platform.overlap import Checked, find_hits
from comd_platform.tables import Benchmark, EvaluationItem, Instruction, Pool


def draw(seed: int, size: tuple[int, int] = (128, 96)) -> Image.Image:
    chance = random.Random(seed)
    image = Image.new("RGB", size, "white")
    for _ in range(40):
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        colour = tuple(chance.randrange(256) for _ in range(3))
        ImageDraw.Draw(image).ellipse((x - 16, y - 12, x + 16, y + 12), fill=colour)
    return image


class World:
    """A pool and a benchmark that grow by one line each; `hits` compares them."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.session = session
        self.store = ImageStore(folder / "store")
        self._folder = folder
        self.pool = Pool(name="seed", origin="import")
        self.benchmark = Benchmark(name="held-out", kind="custom", metric="exact", fingerprint="f")
        session.add_all([self.pool, self.benchmark])
        session.flush()

    def picture(self, name: str, image: Image.Image) -> int:
        path = self._folder / name
        image.save(path)
        return register_images(self.session, self.store, {name: path})[name]

    def ask(self, question: str, image_id: int | None = None) -> int:
        key = root_key(str(image_id or ""), question)
        made = Instruction(
            pool_id=self.pool.id, image_id=image_id, task_type="x", text=question, key=key
        )
        self.session.add(made)
        self.session.flush()
        return made.id

    def hold_out(self, question: str, image_id: int | None = None, key: str | None = None) -> int:
        count = self.session.scalar(text("SELECT count(*) FROM evaluation_item"))
        made = EvaluationItem(
            benchmark_id=self.benchmark.id,
            key=key or f"item-{count}",
            image_id=image_id,
            question=question,
            answers=["yes"],
        )
        self.session.add(made)
        self.session.flush()
        return made.id

    def check(self, **settings: Any) -> Checked:
        return find_hits(
            self.session,
            self.store,
            pool_id=self.pool.id,
            benchmarks=[self.benchmark.id],
            config=DecontaminationConfig(**settings),
        )

    def hits(self, **settings: Any) -> list[Any]:
        self.check(**settings)
        return list(self.session.execute(text("SELECT * FROM hit ORDER BY instruction_id, kind")))

    def verdicts(self, **settings: Any) -> dict[tuple[int, str], str]:
        return {(hit.instruction_id, hit.kind): hit.verdict for hit in self.hits(**settings)}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> Iterator[World]:
    with transaction(engine) as session:
        yield World(session, tmp_path)
