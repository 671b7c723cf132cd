"""`import_file` of a LLaVA file, beside a binary COPY of the rows it makes.

80,000 records are 220,000 single turns, as in the paper. Each import runs in a process of its own, on a
database of its own, and tells its peak memory; so does one of a file four times as large.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import struct
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from common import Row, in_turns, main, scaled, timed
from databases import connected, database, server
from growth import Curve
from sqlalchemy import URL, Engine, text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.db.engine import transaction
from comd_platform.images.register import register_images
from comd_platform.images.store import ImageStore
from comd_platform.importers import import_file
from comd_platform.settings import Settings

RECORDS, PICTURES = 80_000, 40_000
SIZES = (10_000, 100_000, 1_000_000)  # single turns
LONG_AGO = (
    1_600_000_000  # when the pictures were written: a data set is not made while it is imported
)
TURNS = (1, 2, 3, 5)  # of a record in turn: 2.75 on average
COLUMNS = ("pool_id", "image_id", "task_type", "text", "key", "source_record")
TYPES = ("int8", "int8", "text", "text", "text", "text")


def measure(scale: float, rounds: int) -> list[Row]:
    records, pictures = scaled(RECORDS, scale), scaled(PICTURES, scale)
    with server() as where, tempfile.TemporaryDirectory(prefix="comd-bench-") as made:
        room = Path(made)
        with database(where) as empty:
            without = _row(where, empty, room, records, 0, rounds)
        with database(where) as stored:
            _draw(stored, room, pictures)
            return [without, _row(where, stored, room, records, pictures, rounds)]


def grow(scale: float) -> list[Curve]:
    sizes = [scaled(size, scale) for size in SIZES]
    seconds, bare, peaks = [], [], []
    with server() as where, tempfile.TemporaryDirectory(prefix="comd-bench-") as made:
        for size in sizes:
            records = max(1, round(size * len(TURNS) / sum(TURNS)))
            pictures = max(1, records // 2)
            room = Path(made) / str(size)
            room.mkdir()
            with database(where) as stored:
                _draw(stored, room, pictures)
                took, peak = _apart(stored, room, _file(room, records, pictures))
                bare.append(_again(stored))
            seconds.append(took)
            peaks.append(peak)
    note = "Peak memory: " + ", ".join(f"{peak:.0f} MB" for peak in peaks) + "."
    topic = "Import and diversity"
    return [
        Curve(topic, "import with pictures already stored", "rows", sizes, seconds, note),
        Curve(topic, "one bare INSERT of its rows", "rows", sizes, bare, "What PostgreSQL takes."),
    ]


def _again(url: URL) -> float:
    """The instructions once more, by one statement, into a table with the same indexes."""
    columns = ", ".join(COLUMNS)
    with connected(url) as engine, transaction(engine) as session:
        session.execute(text("CREATE TABLE again (LIKE instruction INCLUDING ALL)"))
        statement = f"INSERT INTO again ({columns}) SELECT {columns} FROM instruction ORDER BY id"
        return timed(lambda: session.execute(text(statement)))


def _row(where: URL, template: URL, room: Path, records: int, pictures: int, rounds: int) -> Row:
    path = _file(room, records, pictures)
    peaks: list[float] = []
    rows: list[tuple[object, ...]] = []

    def ours() -> float:
        with database(where, template) as url:
            seconds, peak = _apart(url, room, path)
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
    with database(where, template) as url:
        large = _apart(url, room, _file(room, 4 * records, pictures))[1]
    kind = f"{pictures:,} pictures already stored" if pictures else "text only"
    return Row(
        what=f"Import of a LLaVA file, {kind}",
        amount=len(rows),
        unit="instructions",
        ours="comd",
        seconds=seconds,
        note=f"{records:,} records, {path.stat().st_size / 1e6:.0f} MB of JSON; peak memory of the"
        f" importing process {statistics.median(peaks):.0f} MB, of a file four times as large"
        f" {large:.0f} MB. comd reads, checks and splits the"
        " records, hashes keys and removes duplicates"
        + (", looks at every picture" if pictures else "")
        + "; COPY puts the finished rows from memory into the same table with its indexes.",
    )


def _apart(url: URL, room: Path, path: Path) -> tuple[float, float]:
    """An import in a process of its own: seconds, and that process's peak memory in megabytes."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_import, url, room, path).result()


def _import(url: URL, room: Path, path: Path) -> tuple[float, float]:
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
        path = files[_name(number)] = room / _name(number)
        path.write_bytes(_png(number))
        os.utime(path, (LONG_AGO, LONG_AGO))
    with connected(url) as engine, Session(engine) as session, session.begin():
        register_images(session, ImageStore(_settings(room).image_root), files, link=True)


def _png(number: int) -> bytes:
    """A PNG of one pixel, another one for each number below 2**24."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)  # 1 x 1, 8 bits, RGB
    pixel = b"\0" + number.to_bytes(3, "big")
    signature = b"\x89PNG\r\n\x1a\n"
    return (
        signature
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixel))
        + chunk(b"IEND", b"")
    )


def _file(room: Path, records: int, pictures: int) -> Path:
    """A LLaVA file, written record by record."""
    path = room / f"seed-{records}-{pictures}.json"
    with path.open("w") as handle:
        for number, record in enumerate(_records(records, pictures)):
            handle.write(("," if number else "[") + json.dumps(record))
        handle.write("]")
    return path


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
    main(measure, grow)
