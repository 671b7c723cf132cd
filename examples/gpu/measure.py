"""Tokens a second and MFU of labelling (hf engine) and of training, on a LLaVA with random weights.

    python examples/gpu/measure.py                        # 7B where there is a GPU, tiny on a CPU
    python examples/gpu/measure.py --training-size 1b     # one card does not train 7B whole
    python examples/gpu/measure.py --processes 8 --set zero_stage=3 --set gradient_checkpointing=true

Prints a Markdown table with the machine and the versions. Weights go to --folder (two bytes a
parameter, and as much again for the trained ones), which is removed afterwards unless it is named.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
import yaml
from PIL import Image
from random_llava import SHAPES, Shape, save, words

from comd_platform.config.engines import HfConfig
from comd_platform.config.training import Hyperparameters
from comd_platform.errors import ComdError
from comd_training.examples import Dialogue, Turn, write_examples
from comd_training.metrics import Metric
from comd_training.spec import TrainingSpec
from comd_training.supervise import run_training
from comd_workers.engines.base import Request, Sampling
from comd_workers.engines.registry import open_engine

# Dense bfloat16 (V100: float16) from the makers' data sheets, TFLOP/s, by a part of the card's name.
PEAK_TFLOPS = {
    "H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "A10": 125, "V100": 125,
    "L40S": 362, "L40": 181, "L4": 121, "4090": 165,
}  # fmt: skip
QUESTION_TOKENS = 40
WARM_UP_STEPS = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """`tokens` in `seconds`, with `flops` that the model's arithmetic needs for them."""

    what: str
    tokens: int
    seconds: float
    flops: float
    note: str


def main() -> int:
    options = arguments()
    size = options.size or ("7b" if options.device == "cuda" else "tiny")
    training_size = options.training_size or size
    with workplace(options.folder) as folder:
        pictures(folder / "pictures", SHAPES[size], options.requests)
        rows = [label(folder, size, options)]
        rows.append(train(folder, training_size, options))
    report(rows, options)
    return 0


def arguments() -> argparse.Namespace:
    here = "cuda" if torch.cuda.is_available() else "cpu"
    small = here == "cpu"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default=here)
    parser.add_argument("--size", choices=SHAPES, help="7b on a GPU, tiny on a CPU")
    parser.add_argument("--training-size", choices=SHAPES, help="the same, unless given")
    parser.add_argument("--requests", type=int, default=16 if small else 256)
    parser.add_argument("--batch", type=int, default=8 if small else 64, help="of the hf engine")
    parser.add_argument("--new-tokens", type=int, default=16 if small else 128)
    parser.add_argument("--steps", type=int, default=6 if small else 12)
    parser.add_argument("--processes", type=int, default=1, help="ranks of the training")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a hyperparameter of the training, as in a run config")  # fmt: skip
    parser.add_argument("--folder", type=Path, help="kept; default: a temporary one")
    return parser.parse_args()


def label(folder: Path, size: str, options: argparse.Namespace) -> Measured:
    """Greedy answers to one question a picture, after a batch to warm up."""
    shape = SHAPES[size]
    config = HfConfig(
        model=str(weights(folder, size, options.device)),
        device=options.device,
        batch_size=options.batch,
    )
    requests = [
        Request(str(i), words(shape, QUESTION_TOKENS, start=i), (folder / f"pictures/{i}.png",))
        for i in range(options.requests)
    ]
    with open_engine(config) as engine:
        list(engine.generate(requests[: options.batch], Sampling(max_new_tokens=2)))
        began = time.perf_counter()
        said = list(engine.generate(requests, Sampling(max_new_tokens=options.new_tokens)))
        seconds = time.perf_counter() - began
    for completion in said:
        if completion.error is not None:
            raise ComdError(f"request {completion.key}: {completion.error}")
    read = sum(completion.prompt_tokens for completion in said)
    new = sum(completion.completion_tokens for completion in said)
    length = (read + new) / len(said)
    flops = forward(shape, read + new, length) + len(said) * tower(shape)
    note = f"{new / seconds:,.0f} new tokens/s; {len(said)} answers, batch {options.batch}"
    return Measured(f"labelling, {size}", read + new, seconds, flops, note)


def train(folder: Path, size: str, options: argparse.Namespace) -> Measured:
    """Optimizer steps as a run takes them, in the supervised process; the first ones do not count."""
    shape = SHAPES[size]
    given = dict(each.split("=", 1) for each in options.set)
    hyperparameters = Hyperparameters.model_validate(
        {
            "max_steps": options.steps,
            "precision": "bf16" if options.device == "cuda" else "fp32",
            "micro_batch_size": 1,
            "max_length": shape.length,
        }
        | {name: yaml.safe_load(value) for name, value in given.items()}
    )
    output = folder / "training"
    answer_tokens = min(256, shape.length // 4)
    write_examples(
        output / "examples.parquet",
        (
            Dialogue(
                dialogue=str(i),
                image=f"{i % options.requests}.png",
                image_position="before",
                turns=(
                    Turn(
                        f"{i:064x}",
                        words(shape, QUESTION_TOKENS, i),
                        words(shape, answer_tokens, i),
                    ),
                ),
            )
            for i in range(options.steps * hyperparameters.batch_size)
        ),
    )
    spec = TrainingSpec(
        examples=output / "examples.parquet",
        image_root=folder / "pictures",
        model=str(weights(folder, size, options.device)),
        output=output,
        seed=0,
        device=options.device,
        processes=options.processes,
        hyperparameters=hyperparameters,
    )
    metrics: list[Metric] = []
    run_training(spec, on_metric=metrics.append, on_alive=lambda: None)
    counted = metrics[WARM_UP_STEPS:]
    seconds = counted[-1].seconds - metrics[WARM_UP_STEPS - 1].seconds
    tokens = sum(metric.tokens for metric in counted)
    dialogues = len(counted) * hyperparameters.batch_size
    # Backward twice the forward; the tower is frozen and sees forward passes alone.
    flops = 3 * forward(shape, tokens, tokens / dialogues) + dialogues * tower(shape)
    note = (
        f"{len(counted)} steps of {hyperparameters.batch_size} dialogues on {options.processes} "
        f"rank(s), {hyperparameters.precision}, ZeRO-{hyperparameters.zero_stage}"
    )
    return Measured(f"training, {size}", tokens, seconds, flops, note)


def forward(shape: Shape, tokens: float, length: float) -> float:
    """FLOPs of the language model's forward pass over `tokens` in rows of `length` (Chowdhery et al.
    2022, appendix B: 2 a parameter and token, and attention without its causal half taken off)."""
    layer = 4 * shape.width**2 + 3 * shape.width * shape.inner
    parameters = shape.layers * layer + shape.width * shape.vocabulary
    return tokens * (2 * parameters + 4 * shape.layers * shape.width * length)


def tower(shape: Shape) -> float:
    """FLOPs of one picture's way through vision tower and projector."""
    places = shape.image_tokens + 1
    layer = 4 * shape.tower_width**2 + 2 * shape.tower_width * shape.tower_inner
    attention = 4 * shape.tower_layers * shape.tower_width * places
    projector = 2 * shape.image_tokens * (shape.tower_width * shape.width + shape.width**2)
    return places * (2 * shape.tower_layers * layer + attention) + projector


def peak(options: argparse.Namespace) -> tuple[float, str]:
    """(FLOP/s that MFU is a share of, where the figure is from): the data sheet's, else measured."""
    name = torch.cuda.get_device_name() if options.device == "cuda" else ""
    for part, teraflops in PEAK_TFLOPS.items():
        if part in name:
            return teraflops * 1e12, f"{teraflops} TFLOP/s a card, data sheet"
    dtype = torch.bfloat16 if options.device == "cuda" else torch.float32
    side = 8192 if options.device == "cuda" else 1024
    matrix = torch.rand(side, side, dtype=dtype, device=options.device)
    best = 0.0
    for _ in range(5):
        began = time.perf_counter()
        product = matrix @ matrix
        float(product[0, 0])  # waits for the device
        best = max(best, 2 * side**3 / (time.perf_counter() - began))
    return best, f"{best / 1e12:.3g} TFLOP/s, a {side}² {dtype} product measured here"


def report(rows: list[Measured], options: argparse.Namespace) -> None:
    speed, source = peak(options)
    print("| what | tokens/s | TFLOP/s | MFU | |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        cards = options.processes if row.what.startswith("training") else 1
        rate = row.flops / row.seconds
        print(
            f"| {row.what} | {row.tokens / row.seconds:,.0f} | {rate / 1e12:,.4g} | "
            f"{rate / (speed * cards):.1%} | {row.note} |"
        )
    device = torch.cuda.get_device_name() if options.device == "cuda" else platform.processor()
    print(f"\nDevice: {device or platform.machine()}. MFU of {source}.")
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, transformers "
        f"{transformers.__version__}; {time.strftime('%F')}; `python {' '.join(sys.argv)}`."
    )


def weights(folder: Path, size: str, device: str) -> Path:
    directory = folder / f"llava-{size}"
    if not directory.exists():
        save(SHAPES[size], directory, device)
    return directory


def pictures(folder: Path, shape: Shape, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0)
    for number in range(count):
        pixels = noise.integers(0, 255, (shape.image, shape.image, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


@contextmanager
def workplace(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="comd-measure-") as temporary:
        yield Path(temporary)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ComdError as error:
        sys.exit(f"error: {error}" + (f"\n  {error.hint}" if error.hint else ""))
