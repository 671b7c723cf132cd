"""Registering pictures, beside sha256sum over the same files.

comd reads, hashes and verifies each JPEG, links it into its store and writes its row. Each contender
runs on one core, and then as two processes on two; the database server runs where it likes.
"""

from __future__ import annotations

import functools
import io
import os
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from common import Row, in_turns, main, scaled, timed
from databases import connected, database, server
from PIL import Image, ImageFilter
from sqlalchemy import URL

from comd_platform.db.engine import transaction
from comd_platform.images.register import register_images
from comd_platform.images.store import ImageStore

PICTURES, COPIED = 20_000, 2_000
DRAWN = 40  # pictures that are really drawn; the others differ from one of them in a comment
SIZE, QUALITY = (640, 480), 85  # 79 KB, half of a COCO photograph's: the harder case
LONG_AGO = 1_600_000_000  # when they were written: as in any data set
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def measure(scale: float, rounds: int) -> list[Row]:
    count, copied = scaled(PICTURES, scale), scaled(COPIED, scale)
    with server() as where, tempfile.TemporaryDirectory(prefix="comd-bench-") as made:
        room = Path(made)
        files = _draw(room / "pictures", count)
        with database(where) as empty:
            rows = [
                _linked(where, empty, room, files, processes, rounds)
                for processes in (1, 2)
                if processes <= len(CORES)
            ]
            return [*rows, _copied(where, empty, room, files[:copied], rounds)]


def _linked(
    where: URL, empty: URL, room: Path, files: list[Path], processes: int, rounds: int
) -> Row:
    allowed = CORES[:processes]
    share = -(-len(files) // processes)
    command = ["xargs", "-0", "-P", str(processes), "-n", str(share), "sha256sum"]

    def sums() -> None:
        subprocess.run(
            command,
            input=b"\0".join(bytes(file) for file in files),
            stdout=subprocess.DEVNULL,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )

    def ours() -> float:
        shares = [files[start : start + share] for start in range(0, len(files), share)]
        return _ours(where, empty, room, shares, allowed, link=True)

    size = sum(file.stat().st_size for file in files) / len(files) / 1000
    several = f"{processes} processes on {processes} cores"
    return Row(
        what="Image store: hash, verify and register JPEGs, "
        + ("one core" if processes == 1 else several),
        amount=len(files),
        unit="pictures",
        ours="comd",
        seconds=in_turns({"comd": ours, "sha256sum": lambda: timed(sums)}, rounds),
        note=f"{len(files):,} JPEGs of {size:.0f} KB. comd links the files into one store and commits"
        " their rows; the processes share the files.",
    )


def _copied(where: URL, empty: URL, room: Path, files: list[Path], rounds: int) -> Row:
    def by_hand() -> None:
        with tempfile.TemporaryDirectory(dir=room) as target:
            names = b"\0".join(bytes(file) for file in files)
            for command in (
                ["xargs", "-0", "sha256sum"],
                ["xargs", "-0", "cp", "--target-directory", target],
                ["sync", "--file-system", target],
            ):
                subprocess.run(command, input=names, stdout=subprocess.DEVNULL, check=True)

    return Row(
        what="Image store: the same, copied into the store",
        amount=len(files),
        unit="pictures",
        ours="comd",
        seconds=in_turns(
            {
                "comd": lambda: _ours(where, empty, room, [files], CORES, link=False),
                "sha256sum, cp and one sync": lambda: timed(by_hand),
            },
            rounds,
        ),
        note=f"{len(files):,} of them. comd has every copy on the disk before it has its name.",
    )


def _ours(
    where: URL, empty: URL, room: Path, shares: list[list[Path]], cores: list[int], *, link: bool
) -> float:
    """A process for each share; how long they took, once they were up."""
    with (
        database(where, empty) as url,
        tempfile.TemporaryDirectory(dir=room) as store,
        ProcessPoolExecutor(
            len(shares), mp_context=get_context("spawn"), initializer=_begin, initargs=(cores,)
        ) as pool,
    ):
        list(pool.map(time.sleep, [0.2] * len(shares)))  # all are there
        work = functools.partial(_register, url, Path(store), link)
        return timed(lambda: list(pool.map(work, shares)))


def _begin(cores: list[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _register(url: URL, store: Path, link: bool, files: list[Path]) -> None:
    named = {file.name: file for file in files}
    with connected(url) as engine, transaction(engine) as session:
        register_images(session, ImageStore(store), named, link=link)


def _draw(folder: Path, count: int) -> list[Path]:
    """`count` different JPEGs; what is drawn has the detail of a photograph."""
    folder.mkdir()
    chance = np.random.default_rng(1)
    drawn = []
    for _ in range(min(DRAWN, count)):
        noise = chance.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        buffer = io.BytesIO()
        picture = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1.2))
        picture.save(buffer, "JPEG", quality=QUALITY)
        drawn.append(buffer.getvalue())
    files = []
    for number in range(count):
        data = drawn[number % len(drawn)]
        comment = f"{number:08}".encode()
        marker = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big")
        files.append(folder / f"{number:06}.jpg")
        files[-1].write_bytes(data[:2] + marker + comment + data[2:])
        os.utime(files[-1], (LONG_AGO, LONG_AGO))
    return files


if __name__ == "__main__":
    main(measure)
