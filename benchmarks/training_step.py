"""A training step: real tokens a second, beside transformers' padding Trainer and TRL's SFTTrainer.

One tiny LLaVA with random weights, the same dialogues and batches of 16, on one CPU thread in fp32.
Lengths are those of LLaVA's 90 test questions with GPT-4's answers, in words, of which each is a
token here: half of them a sentence, half of them a paragraph. Only steps count, not starts.

TRL has an environment of its own (peers.py), beside the torch and transformers of this one.

    python benchmarks/training_step.py --profile     # where a step's time goes
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import Row, in_turns, main, scaled
from peers import NoPeer, environment
from PIL import Image

from comd_platform.config.training import Hyperparameters
from comd_training.examples import Dialogue, Turn, write_examples
from comd_training.memory.settle import shape_of
from comd_training.metrics import Metric
from comd_training.spec import TrainingSpec
from comd_training.supervise import run_training

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "examples" / "gpu"))
from random_llava import Shape, save, words  # noqa: E402

BATCH = 16
STEPS = 12
WARM_UP = 3
SHAPE = Shape(192, 512, 3, 4, 4096, 1024, 64, 128, 1, 2, 56, 14)

# (question, answer) in words of qa90: conversation, detail and reasoning in turn.
LENGTHS = (
    (11, 16), (9, 69), (8, 132), (11, 20), (4, 96), (16, 110), (8, 19), (5, 76), (12, 105), (8, 7),
    (4, 83), (15, 150), (8, 10), (4, 103), (12, 156), (10, 7), (10, 66), (15, 122), (8, 15), (10, 50),
    (9, 90), (9, 23), (5, 103), (14, 83), (8, 7), (10, 84), (18, 190), (7, 7), (8, 76), (12, 102),
    (8, 32), (11, 57), (10, 86), (8, 7), (8, 78), (10, 108), (8, 17), (5, 55), (11, 81), (10, 24),
    (10, 91), (9, 128), (8, 21), (10, 92), (17, 118), (12, 32), (5, 59), (11, 98), (8, 10), (8, 61),
    (11, 112), (9, 11), (8, 57), (13, 120), (14, 14), (10, 96), (11, 107), (8, 20), (11, 95),
    (14, 110), (8, 8), (8, 92), (18, 109), (10, 10), (10, 59), (13, 106), (11, 17), (8, 71), (9, 117),
    (9, 8), (8, 62), (12, 166), (12, 16), (10, 39), (7, 105), (8, 14), (8, 121), (8, 71), (9, 26),
    (4, 88), (19, 108), (8, 39), (10, 91), (12, 106), (10, 20), (10, 65), (8, 78), (10, 17),
    (11, 110), (13, 105),
)  # fmt: skip


def measure(scale: float, rounds: int) -> list[Row]:
    steps = max(2, scaled(STEPS, scale))
    with tempfile.TemporaryDirectory(prefix="comd-training-") as name:
        room = Path(name)
        dialogues = prepare(room, (steps + WARM_UP) * BATCH)
        tokens = sum(tokens_of(d) for d in dialogues[WARM_UP * BATCH :])
        beside = {
            "transformers' Trainer, padded": lambda: peer(sys.executable, "padded", room, steps),
            "comd, padded": lambda: ours(room, "padded", steps),
        }
        note = ""
        try:
            python = str(environment("trl"))
            beside["TRL's SFTTrainer"] = lambda: peer(python, "trl", room, steps)
        except NoPeer as missing:
            note = f" {missing}."
        contenders = {"comd": lambda: ours(room, "packed", steps)} | beside
        seconds = in_turns(contenders, rounds)
        size = shape_of(str(room / "model"), Hyperparameters()).total
    longest = sum(
        BATCH * max(map(tokens_of, dialogues[at : at + BATCH]))
        for at in range(WARM_UP * BATCH, len(dialogues), BATCH)
    )
    padding = 1 - tokens / longest
    return [
        Row(
            "training step, real tokens",
            tokens,
            "tokens",
            "comd",
            seconds,
            f"A LLaVA of {size / 1e6:.1f} M parameters, batches of {BATCH} dialogues with a picture "
            f"(16 tokens), one thread, fp32, {steps} steps; {padding:.0%} of a padded batch is "
            f"padding.{note}",
        )
    ]


def prepare(room: Path, count: int) -> list[Dialogue]:
    """Model, pictures and dialogues, for us as Parquet and for the others as lines of JSON."""
    save(SHAPE, room / "model", "cpu")
    rng = np.random.default_rng(0)
    (room / "pictures").mkdir()
    for number in range(32):
        pixels = rng.integers(0, 255, (SHAPE.image, SHAPE.image, 3), np.uint8)
        Image.fromarray(pixels).save(room / "pictures" / f"{number}.png")
    dialogues = []
    for number, row in enumerate(rng.integers(0, len(LENGTHS), count)):
        asked, answered = LENGTHS[row]
        turn = Turn(f"k{number}", words(SHAPE, asked, number), words(SHAPE, answered, 7 * number))
        dialogues.append(Dialogue(f"d{number:06}", f"{number % 32}.png", "before", (turn,)))
    write_examples(room / "examples.parquet", dialogues)
    lines = [
        json.dumps({"image": d.image, "question": t.question, "answer": t.answer})
        for d in dialogues
        for t in d.turns
    ]
    (room / "examples.jsonl").write_text("\n".join(lines))
    return dialogues


def tokens_of(dialogue: Dialogue) -> int:
    """Real tokens: <s>, USER : picture question ASSISTANT : answer </s>."""
    (turn,) = dialogue.turns
    return 6 + SHAPE.image_tokens + len(turn.question.split()) + len(turn.answer.split())


def ours(room: Path, batching: str, steps: int) -> float:
    """Seconds of all steps but the first, in a process of its own as always."""
    with tempfile.TemporaryDirectory(dir=room) as output:
        spec = TrainingSpec.model_validate(
            {
                "examples": room / "examples.parquet",
                "image_root": room / "pictures",
                "model": str(room / "model"),
                "output": output,
                "seed": 0,
                "threads": 1,
                "hyperparameters": {
                    "max_steps": steps + WARM_UP,
                    "batch_size": BATCH,
                    "precision": "fp32",
                    "zero_stage": 1,
                    "batching": batching,
                },
            }
        )
        metrics: list[Metric] = []
        run_training(spec, on_metric=metrics.append, on_alive=lambda: None, from_template=False)
    return metrics[-1].seconds - metrics[WARM_UP - 1].seconds


def peer(python: str, which: str, room: Path, steps: int) -> float:
    """The same for a script in trainers/, which prints the seconds of its steps."""
    done = subprocess.run(
        [python, HERE / "trainers" / f"{which}.py", room, str(steps), str(WARM_UP), str(BATCH)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{which} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def profile() -> None:
    """Where a packed step's time goes, in this process: batch, forward, backward, optimizer."""
    import time

    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from comd_training.collate import Collator, Dialogues
    from comd_training.masking import stop_tokens
    from comd_training.objectives.base import Batch
    from comd_training.objectives.sft import SupervisedFineTuning
    from comd_training.packing import attend_in_segments
    from comd_training.rows import answers_only
    from comd_training.tokens import open_tokens

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="comd-training-") as name:
        room = Path(name)
        prepare(room, STEPS * BATCH)
        processor = AutoProcessor.from_pretrained(room / "model")
        model = AutoModelForImageTextToText.from_pretrained(room / "model")
        attend_in_segments(model)
        collator = Collator(
            processor, room / "pictures", 1024, stop_tokens(processor.tokenizer),
            splices=True, packs=True,
        )  # fmt: skip
        started = time.perf_counter()
        dialogues = Dialogues(open_tokens(room / "tokens", room / "examples.parquet", collator))
        spent = {"tokenising, once": time.perf_counter() - started}
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
        objective = SupervisedFineTuning()

        def timed(what: str, since: float) -> float:
            now = time.perf_counter()
            spent[what] = spent.get(what, 0.0) + now - since
            return now

        for step in range(STEPS):
            now = time.perf_counter()
            given = collator([dialogues[step * BATCH + place] for place in range(BATCH)])
            now = timed("batch: pictures, tokens, packing", now)
            labels = answers_only(given, given.pop("labels"))
            batch = Batch(given, labels, (labels != -100).sum())
            loss = objective.loss(model, batch).loss
            now = timed("forward", now)
            loss.backward()
            now = timed("backward", now)
            optimizer.step()
            optimizer.zero_grad()
            timed("optimizer", now)
    whole = sum(seconds for what, seconds in spent.items() if "once" not in what)
    for what, seconds in spent.items():
        share = "" if "once" in what else f"{seconds / whole:6.1%}"
        print(f"{what:40} {1000 * seconds / STEPS:8.1f} ms a step {share}")


if __name__ == "__main__":
    if "--profile" in sys.argv:
        profile()
    else:
        main(measure)
