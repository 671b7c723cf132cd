"""Labelling image instructions through the `openai` engine: claim, encode, ask, commit.

The whole loop at work: a driver plans and rings, worker processes claim over the broker, the server
takes 50 ms a request. Beside it the same requests, as many in flight, by two tools that one would
use instead, and by a bare aiohttp client, which keeps the answers in memory and shows the limit.
Then what workers beside one another make of it, and a server whose answers are of mixed lengths.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import crew
import numpy as np
import psutil
from chat_server import chat_server
from common import Once, Row, in_turns, main, scaled
from databases import connected, database, maintain, server
from peers import PEERS, NoPeer, environment, seconds_told
from PIL import Image
from pydantic import SecretStr
from sqlalchemy import URL, Engine, text

from comd_platform.config.load import parse_config
from comd_platform.db.engine import libpq_url, transaction
from comd_platform.importers import import_file
from comd_platform.loop.driver import Driver
from comd_platform.loop.port import Silent
from comd_platform.loop.work import Stopped
from comd_platform.runs import create_run
from comd_platform.settings import Settings
from comd_workers.workforce import Workforce

INSTRUCTIONS = 5_000
PER_PICTURE = 2.75  # as in LLaVA's 80,000 records
IN_FLIGHT = 256
CLIENTS = Path(__file__).resolve().parent / "clients"
BARE = "bare aiohttp client"
ONE, TWO, FOUR = "1 worker", "2 workers", "4 workers"
LONGER = 4  # times as many instructions where workers are compared: starting up must not count
MEAN_SECONDS, SIGMA = 0.2, 0.4
"""Answers of mixed lengths: of 256 the longest takes 2.8 times the mean, as of real judge's replies."""


def measure(scale: float, rounds: int) -> list[Row]:
    with ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="comd-bench-")))
        bench = _Bench(stack.enter_context(server()), Settings(home=room, images=room / "store"))
        size = _draw(bench.pictures, scaled(round(INSTRUCTIONS / PER_PICTURE), scale))
        count = scaled(INSTRUCTIONS, scale)
        url = stack.enter_context(chat_server())
        mixed = stack.enter_context(chat_server(MEAN_SECONDS, SIGMA))
        return [
            *_beside_others(bench, url, count, size, rounds),
            *_beside_one_another(bench, url, LONGER * count, rounds),
            _of_mixed_lengths(bench, mixed, count, rounds),
        ]


@dataclass(frozen=True, slots=True)
class _Bench:
    """A server for databases, and a home; what the peers ask lies there as `tasks.jsonl`."""

    where: URL
    settings: Settings

    @property
    def pictures(self) -> Path:
        return self.settings.home / "pictures"

    def ask(self, python: Path, client: str, url: str, tasks: str = "tasks.jsonl") -> float:
        script = CLIENTS / f"{client}_client.py"
        return seconds_told([python, script, url, self.settings.home / tasks, str(IN_FLIGHT)])

    def bare(self, url: str) -> float:
        return self.ask(Path(sys.executable), "bare", url)


def _beside_others(
    bench: _Bench, url: str, count: int, size: tuple[int, float], rounds: int
) -> list[Row]:
    with database(bench.where) as template:
        _seed(template, bench, count, url)
        contenders: dict[str, Once] = {
            ONE: lambda: _label(bench, template, 1, count),
            TWO: lambda: _label(bench, template, 2, count, share=True),
            BARE: lambda: bench.bare(url),
        }
        missing: list[str] = []
        for peer in ("distilabel", "curator"):
            try:
                python = environment(peer)
                bench.ask(python, peer, url, tasks="few.jsonl")
            except NoPeer as error:
                missing.append(str(error))
            else:
                contenders[peer] = lambda peer=peer, python=python: bench.ask(python, peer, url)
        seconds = in_turns(contenders, rounds)
    note = (
        f"{count:,} instructions about {size[0]:,} JPEGs of 640 x 480 pixels and {size[1]:.0f} KB"
        f" each, {IN_FLIGHT} requests in flight (two workers: half of it each), a server that takes"
        " 50 ms. comd from planning to the last commit, workers up and nothing cached; every answer"
        " is a row, every commit durable. The others from the call of their pipeline to its data set,"
        " imports left out: "
        + ", ".join(PEERS[name][0] for name in seconds if name in PEERS)
        + "."
        + "".join(f" Missing: {why}." for why in missing)
    )
    beside = [name for name in seconds if name not in {ONE, TWO}]
    return [
        Row(
            what=f"Labelling through the openai engine, {workers}",
            amount=count,
            unit="requests",
            ours=workers,
            seconds={name: seconds[name] for name in (workers, *others)},
            note=note if workers == TWO else "The same with all requests from one process.",
        )
        for workers, others in ((TWO, beside), (ONE, [BARE]))
    ]


def _beside_one_another(bench: _Bench, url: str, count: int, rounds: int) -> list[Row]:
    busy: dict[str, list[_Busy]] = {ONE: [], TWO: [], FOUR: []}
    with database(bench.where) as template:
        _seed(template, bench, count, url)
        seconds = in_turns(
            {
                name: lambda name=name: _label(
                    bench, template, int(name.split()[0]), count, busy[name]
                )
                for name in busy
            },
            rounds,
        )
    note = (
        f"{count:,} instructions, each worker with {IN_FLIGHT} requests in flight of its own. Server,"
        " workers, driver and PostgreSQL share the machine's cores and kept them busy, the workers by"
        " themselves: "
        + ", ".join(f"{_middle(told)} ({name})" for name, told in busy.items())
        + "."
    )
    return [
        Row(
            what=f"Labelling, {many}, each with all its requests",
            amount=count,
            unit="requests",
            ours=many,
            seconds={name: seconds[name] for name in (many, ONE)},
            note=note if many == TWO else "The same.",
        )
        for many in (TWO, FOUR)
    ]


@dataclass(frozen=True, slots=True)
class _Busy:
    """Percent of all cores' time: everything's, and the workers' alone."""

    all: float
    workers: float


def _middle(told: list[_Busy]) -> str:
    whole, workers = (
        statistics.median(getattr(each, of) for each in told) for of in ("all", "workers")
    )
    return f"{whole:.0f} % and {workers:.0f} %"


def _of_mixed_lengths(bench: _Bench, url: str, count: int, rounds: int) -> Row:
    with database(bench.where) as template:
        _seed(template, bench, count, url)
        seconds = in_turns(
            {ONE: lambda: _label(bench, template, 1, count), BARE: lambda: bench.bare(url)}, rounds
        )
    return Row(
        what="Labelling, answers of mixed lengths, 1 worker",
        amount=count,
        unit="requests",
        ours=ONE,
        seconds=seconds,
        note=(
            f"{count:,} instructions, {IN_FLIGHT} requests in flight, a server whose answers take"
            f" {1000 * MEAN_SECONDS:.0f} ms in the mean, log-normal with a sigma of {SIGMA}; the bare"
            " client keeps the server's places filled to the end. A worker that waited for the"
            " longest answer of each work item before it began the next would not."
        ),
    )


def _draw(room: Path, count: int) -> tuple[int, float]:
    """Photographs as heavy as COCO's: how many, and their mean size in kilobytes."""
    room.mkdir()
    random = np.random.default_rng(0)
    held = 0
    for number in range(count):
        noise = random.normal(128, 60, (120, 160, 3)).clip(0, 255).astype("uint8")
        picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
        path = room / f"{number:012}.jpg"
        picture.save(path, quality=90)
        held += path.stat().st_size
    return count, held / count / 1000


def _seed(template: URL, bench: _Bench, count: int, base_url: str) -> None:
    """The instructions as rows of a run that labels them, and as tasks of the other clients."""
    room = bench.settings.home
    pictures = sorted(bench.pictures.iterdir())
    questions = [
        (f"What is to be seen here, and what is number {n} of it?", pictures[n % len(pictures)])
        for n in range(count)
    ]
    tasks = [json.dumps({"text": question, "image": str(path)}) for question, path in questions]
    (room / "tasks.jsonl").write_text("\n".join(tasks))
    (room / "few.jsonl").write_text("\n".join(tasks[:4]))
    records = [
        {
            "id": f"{n:08}",
            "image": path.name,
            "conversations": [
                {"from": "human", "value": f"<image>\n{question}"},
                {"from": "gpt", "value": "Dropped by the import."},
            ],
        }
        for n, (question, path) in enumerate(questions)
    ]
    (room / "seed.json").write_text(json.dumps(records))
    with connected(template) as engine:
        import_file(engine, bench.settings, path=room / "seed.json", images=bench.pictures)
        with transaction(engine) as session:
            for share in (1, 2):
                create_run(session, parse_config(_run(base_url, share)))
        maintain(engine, "VACUUM ANALYZE")


def _run(base_url: str, share: int) -> dict[str, object]:
    return {
        "name": f"by-{share}",
        "pool": "seed",
        "teacher": {
            "model": {
                "engine": "openai",
                "model": "fake",
                "base_url": base_url,
                "api_key_env": None,
                "concurrency": IN_FLIGHT // share,
            }
        },
        "student": {"model": {"engine": "scripted", "model": "quiz"}},
    }


class _UntilLabelled(Silent):
    """Stops the driver where the student would be tuned, and keeps the time at which."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.ended = 0.0

    def phase_finished(self, iteration: int, phase: str, note: str | None) -> None:
        del iteration, note
        assert phase == "label"
        self.ended = time.perf_counter()
        self.stop.set()


def _label(
    bench: _Bench,
    template: URL,
    workers: int,
    count: int,
    busy: list[_Busy] | None = None,
    *,
    share: bool = False,
) -> float:
    """Seconds from planning to the last commit; how busy all cores were meanwhile goes to `busy`.

    `share`: the workers divide the requests in flight among them.
    """
    with database(bench.where, template) as url, connected(url) as engine:
        here = bench.settings.model_copy(update={"database_url": SecretStr(libpq_url(url))})
        with (
            crew.workers(
                engine, crew.environment(bench.settings, url), ["teacher"], workers
            ) as running,
            Workforce(here, local=0) as workforce,
        ):
            watcher = _UntilLabelled()
            processes = [psutil.Process(each.pid) for each in running]
            before = sum(map(_processor_seconds, processes))
            psutil.cpu_percent()  # of all cores, since the call before
            started = time.perf_counter()
            with suppress(Stopped):
                run = f"by-{workers if share else 1}"
                Driver(engine, workforce, watcher, stop=watcher.stop).run(run)
            if busy is not None:
                whole = psutil.cpu_percent()
                spent = sum(map(_processor_seconds, processes)) - before
                there_were = (time.perf_counter() - started) * (psutil.cpu_count() or 1)
                busy.append(_Busy(whole, 100 * spent / there_were))
        _check(engine, count)
    return watcher.ended - started


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _check(engine: Engine, count: int) -> None:
    with transaction(engine) as session:
        answers = session.scalar(text("SELECT count(*) FROM answer WHERE text <> ''"))
    assert answers == count, f"{answers} answers to {count} instructions"
    crew.check_durable(engine)


if __name__ == "__main__":
    main(measure)
