"""`comd demo`: a whole competitive distillation on this machine."""

from __future__ import annotations

import importlib.util
import time
from typing import Annotated

import typer

from comd_workers.cli.connect import database

MINUTES = 3


def demo(
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed is another run.")] = 0,
) -> None:
    """A whole competitive distillation on this machine: real models, minutes, every row kept."""
    from comd_platform.errors import ComdError

    for module, extra in (("torch", "train"), ("deepspeed", "train")):
        if importlib.util.find_spec(module) is None:
            raise ComdError(f"the demo needs {module}", hint=f"pip install 'comd[{extra}]'")
    from comd_workers.cli.loop import stop_on_signals
    from comd_workers.cli.output import console_for_people, duration
    from comd_workers.cli.progress import Board
    from comd_workers.demo import Demo
    from comd_workers.demo.story import tell

    console = console_for_people()
    started = time.monotonic()
    for line in (
        "A teacher who knows 96 characters, a student who knows 36, pictures of all of them.",
        "Four iterations of competitive distillation; beside it two baselines at equal budget:",
        "real vision-language models, PostgreSQL, Celery workers, DeepSpeed training.",
        f"About {MINUTES} minutes on 2 cores; stop it and start it as you like.\n",
    ):
        console.print(line, soft_wrap=True)
    with database() as (engine, settings):
        play = Demo(engine, settings, seed=seed)
        instructions, questions = play.import_data()
        console.print(
            f"imported {instructions:,} instructions and {questions:,} held-out questions"
        )
        config = play.create()
        with Board(console) as board:
            play.play(board.watch, stop_on_signals())
        tell(engine, play, console)
        took = duration(time.monotonic() - started)
    console.print(f"\nDone in {took}. Everything is a row now; go on with:", markup=False)
    for line in (
        "  comd db psql -c \"SELECT * FROM iteration_summary WHERE run = 'demo-0'\"",
        "  comd dashboard                    # pools, scores, difficulty in the browser",
        f"  comd status {play.name}",
        f"  {config}   # the run's config, to start your own from",
        "  comd import llava YOUR.json --images YOUR_IMAGES",
    ):
        console.print(line.replace("demo-0", play.name), markup=False, soft_wrap=True)
