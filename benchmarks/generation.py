"""The `hf` engine on tinyworld's teacher, beside `generate` as one writes it in a loop.

The prompts are those of three roles as they come (questions, wishes for a new question, answers to
score), one in three with a text to read first, as ScienceQA has them. Greedy, so that every text can
be compared with the one that the request gets alone.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import Row, in_turns, main, scaled, timed
from PIL import Image

from comd_platform.config.engines import HfConfig
from comd_tinyworld import weights_path
from comd_tinyworld.data import Asked, seed_set, write_pictures
from comd_tinyworld.prompts import render
from comd_tinyworld.questions import PHRASINGS
from comd_workers.engines.base import Request, Sampling
from comd_workers.engines.hf import open_engine

REQUESTS = 600
BATCH = 32
MAX_NEW_TOKENS = 64
WITH_TEXT = 1 / 3
"""Share of the requests that have a text to be read before the question."""


@dataclass(frozen=True, slots=True)
class Naive:
    """Model and processor as transformers loads them; requests in the order in which they come."""

    model: Any
    processor: Any

    def generate(self, requests: list[Request], size: int) -> dict[str, str]:
        import torch

        said: dict[str, str] = {}
        for start in range(0, len(requests), size):
            batch = requests[start : start + size]
            turns = [
                [
                    {
                        "role": "user",
                        "content": [{"type": "image"}, {"type": "text", "text": request.text}],
                    }
                ]
                for request in batch
            ]
            texts = [
                self.processor.apply_chat_template(turn, add_generation_prompt=True)
                for turn in turns
            ]
            pictures = [Image.open(request.images[0]).convert("RGB") for request in batch]
            inputs = self.processor(text=texts, images=pictures, padding=True, return_tensors="pt")
            with torch.inference_mode():
                tokens = self.model.generate(
                    **inputs, do_sample=False, max_new_tokens=MAX_NEW_TOKENS
                )
            new = tokens[:, inputs["input_ids"].shape[1] :]
            decoded = self.processor.batch_decode(new, skip_special_tokens=True)
            said.update(
                (request.key, text.strip()) for request, text in zip(batch, decoded, strict=True)
            )
        return said


def measure(scale: float, rounds: int) -> list[Row]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    count = scaled(REQUESTS, scale)
    with tempfile.TemporaryDirectory(prefix="comd-bench-") as room:
        requests = _requests(count, Path(room))
        weights = str(weights_path("teacher"))
        naive = _naive(weights)
        said: dict[str, dict[str, str]] = {}
        config = HfConfig(model=weights, device="cpu", batch_size=BATCH)
        with open_engine(config) as engine:

            def ours() -> dict[str, str]:
                done = list(engine.generate(requests, Sampling(max_new_tokens=MAX_NEW_TOKENS)))
                assert not any(completion.error for completion in done)
                return {completion.key: completion.text for completion in done}

            work: dict[str, Callable[[], dict[str, str]]] = {
                "hf engine": ours,
                "generate, batch 1": lambda: naive.generate(requests, 1),
                f"generate, batch {BATCH}": lambda: naive.generate(requests, BATCH),
            }

            def once(name: str) -> float:
                def run() -> None:
                    said[name] = work[name]()

                return timed(run)

            ours()  # what is done once, is done
            seconds = in_turns({name: lambda name=name: once(name) for name in work}, rounds)
    alone = said["generate, batch 1"]
    other = {
        name: sum(texts[key] != alone[key] for key in alone)
        for name, texts in said.items()
        if texts is not alone
    }
    words = sorted(len(text.split()) for text in alone.values())
    asked = sorted(len(request.text.split()) for request in requests)
    return [
        Row(
            what="hf engine, greedy, prompts and answers of mixed lengths",
            amount=count,
            unit="requests",
            ours="hf engine",
            seconds=seconds,
            note=f"{count:,} requests to tinyworld's teacher on this CPU, a picture each: questions,"
            f" wishes for a new question and pairs to score, one in three after a text; prompts of"
            f" {asked[0]} to {asked[-1]} words (median {statistics.median(asked):.0f}), answers of"
            f" {words[0]} to {words[-1]} (median {statistics.median(words):.0f}). The engine"
            f" batches {BATCH} of like length, `generate` takes them as they come. Texts other than"
            " the ones that requests get alone: "
            + ", ".join(f"{n} ({name})" for name, n in other.items())
            + ".",
        )
    ]


def _naive(weights: str) -> Naive:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(weights)
    processor.tokenizer.padding_side = "left"
    return Naive(AutoModelForImageTextToText.from_pretrained(weights).eval(), processor)


def _requests(count: int, room: Path) -> list[Request]:
    asked = seed_set(images=count, asked=count)
    write_pictures(asked, room)
    chance = random.Random(0)
    return [
        Request(key=str(n), text=_text(chance, row), images=(room / row.image,))
        for n, row in enumerate(asked)
    ]


def _text(chance: random.Random, row: Asked) -> str:
    """What one of three roles is asked about a seed question; one in three comes with a text."""
    question = row.question.text
    if chance.random() < WITH_TEXT:
        question = f"{_passage(chance)} {question}"
    role = chance.choice(("teacher", "augmentor", "assessor"))
    if role == "teacher":
        return render("teacher", instruction=question)
    if role == "augmentor":
        return render("augmentor", instruction=question, task_type=row.question.kind)
    return render("assessor", instruction=question, first=row.answer, second="olaf")


def _passage(chance: random.Random) -> str:
    """Something to read first, as long as ScienceQA's lectures and hints: some tens of words, a few
    hundred at most."""
    words = min(300, round(chance.lognormvariate(4.2, 0.7)))
    sentences = (question for each in PHRASINGS.values() for question in each)
    vocabulary = sorted({word for sentence in sentences for word in sentence.split()})
    return " ".join(chance.choices(vocabulary, k=words))


if __name__ == "__main__":
    main(measure)
