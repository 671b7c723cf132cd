"""`import_file` of a LLaVA file, beside a binary COPY of the rows it makes.

Each import runs in a process of its own, on a database of its own, and tells its peak memory.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from common import Row, in_turns, main, scaled, timed
from databases import connected, database, server
from PIL import Image
from sqlalchemy import URL, Engine, text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.db.engine import transaction
from comd_platform.images.register import register_images
from comd_platform.images.store import ImageStore
from comd_platform.importers import import_file
from comd_platform.settings import Settings

RECORDS, PICTURES = 20_000, 10_000
TURNS = (1, 2, 3, 5)  # of a record in turn: 2.75 on average
COLUMNS = ("pool_id", "image_id", "task_type", "text", "key", "source_record")
TYPES = ("int8", "int8", "text", "text", "text", "text")


def measure(scale: float, rounds: int) -> list[Row]:
    records, pictures = scaled(RECORDS, scale), scaled(PICTURES, scale)
    with server() as where, tempfile.TemporaryDirectory(prefix="comd-bench-") as made:
        with database(where) as empty:
            without = _row(where, empty, Path(made), records, 0, rounds)
        with database(where) as stored:
            _draw(stored, Path(made), pictures)
            return [without, _row(where, stored, Path(made), records, pictures, rounds)]


def _row(where: URL, template: URL, room: Path, records: int, pictures: int, rounds: int) -> Row:
    path = room / f"seed-{pictures}.json"
    path.write_text(json.dumps(list(_records(records, pictures))))
    peaks: list[float] = []
    rows: list[tuple[object, ...]] = []

    def ours() -> float:
        with database(where, template) as url:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                seconds, peak = process.submit(_import, url, room, path).result()
            peaks.append(peak)
            rows[:] = _instructions(url)
        return seconds

    def copy() -> float:
        with database(where, template) as url, connected(url) as engine:
            with transaction(engine) as session:
                session.execute(text("INSERT INTO pool (name, origin) VALUES ('raw', 'import')"))
            return timed(lambda: _copy(engine, rows))

    ours()  # makes the rows to copy
    seconds = in_turns({"comd": ours, "raw binary COPY": copy}, rounds)
    kind = f"{pictures:,} pictures already stored" if pictures else "text only"
    return Row(
        what=f"Import of a LLaVA file, {kind}",
        amount=len(rows),
        unit="instructions",
        ours="comd",
        seconds=seconds,
        note=f"{records:,} records, {path.stat().st_size / 1e6:.0f} MB of JSON; peak memory of the"
        f" importing process {statistics.median(peaks):.0f} MB. comd reads, checks and splits the"
        " records, hashes keys and removes duplicates"
        + (", reads and hashes every picture" if pictures else "")
        + "; COPY puts the finished rows from memory into the same table with its indexes.",
    )


def _import(url: URL, room: Path, path: Path) -> tuple[float, float]:
    """Seconds, and the process's peak memory in megabytes."""
    with connected(url) as engine:
        seconds = timed(
            lambda: import_file(engine, _settings(room), path=path, images=room, text_only=True)
        )
    return seconds, _peak_megabytes()


def _settings(room: Path) -> Settings:
    """Whatever the environment says, nothing is kept outside `room`."""
    return Settings(home=room, images=room / "store")


def _peak_megabytes() -> float:
    """VmHWM where there is one: ru_maxrss begins with what the parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes


def _instructions(url: URL) -> list[tuple[object, ...]]:
    with connected(url) as engine, transaction(engine) as session:
        found = session.execute(text(f"SELECT {', '.join(COLUMNS)} FROM instruction ORDER BY id"))
        return [tuple(row) for row in found]


def _copy(engine: Engine, rows: list[tuple[object, ...]]) -> None:
    with transaction(engine) as session:
        copy_rows(session, "instruction", COLUMNS, rows, TYPES)


def _draw(url: URL, room: Path, pictures: int) -> None:
    """Distinct small pictures in `room`, in its image store and in the database."""
    files = {}
    for number in range(pictures):
        files[_name(number)] = room / _name(number)
        color = (number % 256, number // 256 % 256, 128)
        Image.new("RGB", (32, 32), color).save(files[_name(number)])
    with connected(url) as engine, Session(engine) as session, session.begin():
        register_images(session, ImageStore(_settings(room).image_root), files, link=True)


def _records(records: int, pictures: int) -> Iterator[dict[str, object]]:
    chance = random.Random(1)
    words = [f"word{n}" for n in range(2000)]
    for number in range(records):
        conversation = []
        for turn in range(TURNS[number % len(TURNS)]):
            question = (
                f"{' '.join(chance.choices(words, k=chance.randint(6, 20)))} {number}-{turn}?"
            )
            if pictures and turn == 0:
                question = f"<image>\n{question}"
            answer = " ".join(chance.choices(words, k=chance.randint(10, 60)))
            conversation += [
                {"from": "human", "value": question},
                {"from": "gpt", "value": answer},
            ]
        image = {"image": _name(number % pictures)} if pictures else {}
        yield {"id": f"{number:012}", **image, "conversations": conversation}


def _name(number: int) -> str:
    return f"{number:012}.png"


if __name__ == "__main__":
    main(measure)
