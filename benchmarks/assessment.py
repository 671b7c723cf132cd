"""Assessment by models that answer at once: what is left is the platform's own time.

Student answer, two judgements, their parsing, scores, flags, difficulty and band of every
instruction, by a real driver and two worker processes; beside it a binary COPY of the rows that come
of it into the same tables.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import crew
from common import Row, in_turns, main, scaled, timed
from databases import connected, database, maintain, server
from growth import Curve
from PIL import Image
from sqlalchemy import URL, Engine, text

from comd_platform.config.load import parse_config
from comd_platform.db.copy import copy_rows
from comd_platform.db.engine import transaction
from comd_platform.images.register import register_images
from comd_platform.images.store import ImageStore
from comd_platform.loop.iterations import next_iteration
from comd_platform.models import role_model
from comd_platform.runs import create_run
from comd_platform.settings import Settings
from comd_platform.tables import Pool

INSTRUCTIONS = 100_000
GROWING = (10_000, 100_000, 1_000_000)
PICTURES = 1_000
WORKERS = 2
CONFIG = parse_config(
    {
        "name": "bench",
        "pool": "bench",
        "teacher": {"model": {"engine": "scripted", "model": "quiz"}},
        "student": {"model": {"engine": "scripted", "model": "quiz", "options": {"skill": 0.6}}},
        "assessor": {
            "model": {
                "engine": "scripted",
                "model": "quiz",
                "options": {"role": "assessor", "unreadable_rate": 0.02},
            }
        },
    }
)
LABELLED = """
INSERT INTO instruction (pool_id, image_id, task_type, text, key)
SELECT :pool, picture.id, 'conversation',
    'What is the person beside thing number ' || n || ' doing with it?',
    encode(sha256(n::text::bytea), 'hex')
FROM generate_series(1, :instructions) AS n
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS pictures
    FROM image) AS picture ON picture.place = n % picture.pictures;

INSERT INTO answer (instruction_id, model_id, text, finish_reason)
SELECT id, :teacher, 'That is amba, as the sign beside it says (right 1a2b3c4d)', 'stop'
FROM instruction
"""
COPIED = {
    "answer": {
        "id": "int8",
        "instruction_id": "int8",
        "model_id": "int8",
        "text": "text",
        "finish_reason": "text",
        "prompt_tokens": "int8",
        "completion_tokens": "int8",
        "cached_tokens": "int8",
    },
    "judgement": {
        "teacher_answer_id": "int8",
        "student_answer_id": "int8",
        "assessor_id": "int8",
        "position": "text",
        "attempt": "int8",
        "raw": "text",
        "teacher_score": "float8",
        "student_score": "float8",
        "status": "text",
        "prompt_tokens": "int8",
        "completion_tokens": "int8",
        "cached_tokens": "int8",
    },
    "assessment": {
        "iteration_id": "int8",
        "instruction_id": "int8",
        "teacher_score": "float8",
        "student_score": "float8",
        "flags": "text[]",
        "selection_score": "float8",
    },
}
"""The columns that comd fills, and their types for a binary COPY."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Megabytes: the driver's process, and the largest worker's."""

    driver: float
    worker: float


def measure(scale: float, rounds: int) -> list[Row]:
    count = scaled(INSTRUCTIONS, scale)
    few = scaled(INSTRUCTIONS // 5, scale)
    rows: dict[str, list[tuple[object, ...]]] = {}
    peaks: dict[int, Peaks] = {}
    with server() as where, _room() as settings:
        with _labelled(where, settings, few) as template:
            _, peaks[few] = assess(where, template, settings, few)
        with _labelled(where, settings, count) as template:

            def ours() -> float:
                seconds, peaks[count] = assess(where, template, settings, count, rows)
                return seconds

            def copy() -> float:
                with database(where, template) as url, connected(url) as engine:
                    return timed(lambda: _copy(engine, rows))

            ours()  # makes the rows to copy
            seconds = in_turns({"comd": ours, "raw binary COPY": copy}, rounds)
    held = "; ".join(
        f"with {n:,} instructions {peak.driver:.0f} MB (driver) and {peak.worker:.0f} MB (worker)"
        for n, peak in peaks.items()
    )
    made = sum(len(found) for found in rows.values())
    return [
        Row(
            what="Assessment: student answer, two judgements, scores, difficulty",
            amount=count,
            unit="instructions",
            ours="comd",
            seconds=seconds,
            note=f"{count:,} labelled instructions about {PICTURES:,} pictures, models that answer at"
            f" once (their few microseconds count), a driver and {WORKERS} workers, from the first"
            f" plan to the last commit; {made:,} rows come of it. One reply in 50 cannot be read and"
            f" is asked for again. COPY puts the same rows from memory into the same tables with"
            f" their indexes and checks, in three transactions. Peak memory {held}.",
        )
    ]


def grow(scale: float) -> list[Curve]:
    sizes = [scaled(size, scale) for size in GROWING]
    seconds, peaks = [], []
    with server() as where, _room() as settings:
        for count in sizes:
            with _labelled(where, settings, count) as template:
                took, peak = assess(where, template, settings, count)
            seconds.append(took)
            peaks.append(peak)
    held = ", ".join(f"{peak.driver:.0f} and {peak.worker:.0f}" for peak in peaks)
    return [
        Curve(
            "Assessment",
            "Student answer, judgements, scores",
            "instructions",
            sizes,
            seconds,
            note=f"Peak megabytes of driver and worker, size by size: {held}.",
        )
    ]


@contextmanager
def _room() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="comd-bench-") as room:
        yield Settings(home=Path(room), images=Path(room) / "store")


@contextmanager
def _labelled(where: URL, settings: Settings, instructions: int) -> Iterator[URL]:
    """A database with an iteration whose instructions are all labelled, and its student tuned."""
    with database(where) as url:
        with connected(url) as engine:
            with transaction(engine) as session:
                register_images(session, ImageStore(settings.image_root), _pictures(settings.home))
                session.add(Pool(name=CONFIG.pool, origin="import"))
                session.flush()
                iteration = next_iteration(session, create_run(session, CONFIG))
                iteration.student_model_id = role_model(session, CONFIG, "student")
                iteration.phase = "answer"
                session.flush()
                parameters = {
                    "pool": iteration.pool_id,
                    "instructions": instructions,
                    "teacher": iteration.teacher_model_id,
                }
                for statement in LABELLED.split(";"):
                    session.execute(text(statement), parameters)
            maintain(engine, "VACUUM ANALYZE")
        yield url


def _pictures(room: Path) -> dict[str, Path]:
    files = {f"{n:06}.png": room / f"{n:06}.png" for n in range(PICTURES)}
    for n, path in enumerate(files.values()):
        Image.new("RGB", (32, 32), (n % 256, n // 256, 128)).save(path)
    return files


def assess(
    where: URL,
    template: URL,
    settings: Settings,
    instructions: int,
    rows: dict[str, list[tuple[object, ...]]] | None = None,
) -> tuple[float, Peaks]:
    """Seconds from the first phase's beginning to the last one's end; `rows` takes what was made."""
    with database(where, template) as url, connected(url) as engine:
        crew.check_durable(engine)
        variables = crew.environment(settings, url)
        with crew.workers(engine, variables, ["student", "assessor"], WORKERS) as running:
            driver = crew.drive(CONFIG.name, variables)
            worker = max(crew.peak_megabytes(process.pid) for process in running)
        with transaction(engine) as session:
            done = session.execute(
                text(
                    "SELECT extract(epoch FROM max(finished_at) - min(started_at)),"
                    " (SELECT count(*) FROM assessment WHERE difficulty IS NOT NULL)"
                    " FROM iteration_phase WHERE phase IN ('answer', 'judge', 'assess')"
                )
            ).one()
        assert done[1] >= 0.99 * instructions, f"{done[1]} of {instructions} were assessed"
        if rows is not None and not rows:
            rows.update(_made(engine))
    return float(done[0]), Peaks(driver, worker)


def _made(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """What comd wrote, to be copied; a student's answers keep their ids, for judgements to name."""
    found = {}
    student = "WHERE model_id = (SELECT student_model_id FROM iteration)"
    with transaction(engine) as session:
        for table, columns in COPIED.items():
            chosen = f"SELECT {', '.join(columns)} FROM {table}"
            statement = f"{chosen} {student if table == 'answer' else ''}"
            found[table] = [tuple(row) for row in session.execute(text(statement))]
    return found


def _copy(engine: Engine, rows: dict[str, list[tuple[object, ...]]]) -> None:
    for table, columns in COPIED.items():
        with transaction(engine) as session:
            copy_rows(session, table, list(columns), rows[table], list(columns.values()))


if __name__ == "__main__":
    main(measure, grow)
