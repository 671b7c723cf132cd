"""Does comd's vllm engine work on this machine? Starts a real server and tries what a run relies on.

    python examples/gpu/check_vllm.py --command /opt/vllm/bin/vllm llava-hf/llava-1.5-7b-hf

Prints a line a check. Exit status 0 when all hold; 1 when one does not; 2 when something that it
takes is missing here, and then it says what.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
from PIL import Image, ImageDraw

from comd_platform.config.engines import VllmConfig
from comd_platform.errors import ComdError
from comd_workers.engines.base import Completion, Request, Sampling
from comd_workers.engines.vllm import VllmEngine

GREEDY = Sampling(max_new_tokens=32)
SAMPLED = Sampling(temperature=0.5, max_new_tokens=32)
COLOURS = ("red", "green", "blue", "yellow")


def main() -> int:
    options = arguments()
    lacking = missing(options)
    for what in lacking:
        print(f"missing: {what}")
    if lacking:
        return 2
    with tempfile.TemporaryDirectory(prefix="comd-check-vllm-") as folder:
        try:
            return check(options, Path(folder).resolve())
        except ComdError as error:
            print(f"FAILED: {error}", *([f"hint: {error.hint}"] if error.hint else []), sep="\n")
            return 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="directory or hub id of a vision-language model")
    parser.add_argument("--command", default="vllm", help="what stands before `serve` (vllm)")
    parser.add_argument("--flags", default="", help="more flags of vllm serve, in one string")
    parser.add_argument("--tensor-parallel", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=2048)
    parser.add_argument("--without-gpu", action="store_true", help="do not ask for a card")
    return parser.parse_args()


def missing(options: argparse.Namespace) -> list[str]:
    """What this machine lacks, in words."""
    lacking = []
    command = shlex.split(options.command)
    if not options.without_gpu and not cards():
        lacking.append("a GPU (nvidia-smi lists none); --without-gpu tries all the same")
    if shutil.which(command[0]) is None:
        lacking.append(
            f"the command {command[0]!r}; python3 -m venv /opt/vllm && "
            "/opt/vllm/bin/pip install vllm, then --command /opt/vllm/bin/vllm"
        )
    return lacking


def check(options: argparse.Namespace, folder: Path) -> int:
    config = VllmConfig(
        model=options.model,
        command=tuple(shlex.split(options.command)),
        tensor_parallel=options.tensor_parallel,
        max_length=options.max_length,
        machine_flags=tuple(shlex.split(options.flags)),
    )
    requests = questions(folder)
    for card in cards():
        print(f"card: {card}")
    began = time.monotonic()
    with VllmEngine(config, folder, folder / "logs") as engine:
        print(f"note: serves {options.model} after {time.monotonic() - began:.0f} s")
        first = said(engine.generate(requests, GREEDY))
        for request in requests[:2]:
            print(f"note: {request.text} {first[request.key]!r}")
        answered = verdict("every request is answered", all(first.values()))
        compare("greedy", first, said(engine.generate(requests, GREEDY)))
        drawn = [said(engine.generate(requests, SAMPLED)) for _ in range(2)]
        compare("sampled with the same seeds", *drawn)
        started = psutil.Process().children(recursive=True)  # the keeper, the server, its engines
        started[1].kill()
        after = said(engine.generate(requests, GREEDY))
        revived = verdict("a server that is killed is restarted", all(after.values()))
        started += psutil.Process().children(recursive=True)
    cleared = verdict("nothing of it runs afterwards", not any(map(runs, started)))
    return 0 if answered and revived and cleared else 1


def questions(folder: Path) -> list[Request]:
    """About discs of four colours, each picture a file that the server reads by itself."""
    requests = []
    for number in range(32):
        path = folder / f"{number}.png"
        picture = Image.new("RGB", (336, 336), "white")
        ImageDraw.Draw(picture).ellipse((60, 60, 276, 276), fill=COLOURS[number % len(COLOURS)])
        picture.save(path)
        text = f"What colour is the disc in picture {number}?"
        requests.append(Request(key=str(number), text=text, images=(path,), seed=number))
    return requests


def said(completions: Iterable[Completion]) -> dict[str, str]:
    """Texts by key; empty, and told, where a request failed."""
    texts = {}
    for completion in completions:
        if completion.error is not None:
            print(f"note: request {completion.key}: {completion.error}")
        texts[completion.key] = completion.text
    return texts


def compare(how: str, first: dict[str, str], second: dict[str, str]) -> None:
    same = sum(first[key] == second[key] for key in first)
    print(f"note: {how}, twice: the same text in {same} of {len(first)}")


def verdict(what: str, holds: bool) -> bool:
    print(f"{'ok' if holds else 'FAILED'}: {what}")
    return holds


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def cards() -> list[str]:
    """Name and memory of each card that nvidia-smi lists."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    listed = subprocess.run(query, capture_output=True, text=True, check=False)
    return listed.stdout.splitlines() if listed.returncode == 0 else []


if __name__ == "__main__":
    sys.exit(main())
