"""A run out of one database and into another, where it goes on as if nothing had happened."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inline_workers import inline_workforce
from pydantic import SecretStr
from recompute import check_run
from sqlalchemy import URL, Engine, text
from toy_world import MARKERS, import_toy_world, toy_config

import comd_migrations
from comd_platform.backup import BackedUp, BackupError, Restored, backup_run, restore_run
from comd_platform.backup.archive import LEFT_OUT, backed_up
from comd_platform.backup.plan import CONDITIONS
from comd_platform.db.engine import libpq_url, make_engine, transaction
from comd_platform.loop.driver import Driver
from comd_platform.runs import RunError, branch_run, create_run, find_run
from comd_platform.settings import Settings
from comd_platform.tables import Base

SCHEMA = comd_migrations.head_revision()

# What a run amounts to, without a single id in it; usage and times may differ.
CONTENT = {
    "instruction": """SELECT tuning_pool.iteration, tuning_pool.key, task_type, text
        FROM tuning_pool WHERE run = :run""",
    "answer": """SELECT cache_pool.key, model.fingerprint, answer.text FROM cache_pool
        JOIN answer USING (instruction_id) JOIN model ON model.id = answer.model_id
        WHERE run = :run""",
    "assessment": """SELECT iteration, key, teacher_score, student_score, flags, difficulty
        FROM assessment JOIN run_iteration USING (iteration_id)
        JOIN instruction ON instruction.id = instruction_id WHERE run = :run""",
    "judgement": """SELECT fingerprint, position, attempt, raw, teacher_score, status
        FROM judgement JOIN model ON model.id = assessor_id""",
    "augmentation": """SELECT source.key, child.key, band, status, reason, raw, rouge_l, nearest.key
        FROM augmentation JOIN instruction AS source ON source.id = source_instruction_id
        LEFT JOIN instruction AS child ON child.id = child_id
        LEFT JOIN instruction AS nearest ON nearest.id = nearest_id""",
    "training_example": """SELECT iteration, instruction.key, dialogue, turn, image_position, reason
        FROM training_example JOIN training_run ON training_run.id = training_run_id
        JOIN run_iteration USING (iteration_id)
        JOIN instruction ON instruction.id = instruction_id WHERE run = :run""",
    "training_metric": """SELECT iteration, step, loss FROM training_metric
        JOIN training_run ON training_run.id = training_run_id
        JOIN run_iteration USING (iteration_id) WHERE run = :run""",
    "evaluation": """SELECT benchmark, subject, fingerprint, items, score
        FROM evaluation_summary JOIN model ON model.id = model_id""",
    "honoured_review": """SELECT iteration, key, decision, review.text, author, review.created_at
        FROM honoured_review JOIN run_iteration USING (iteration_id)
        JOIN review ON review.id = review_id
        JOIN instruction ON instruction.id = honoured_review.instruction_id WHERE run = :run""",
    "revision": """SELECT key, review.text, author FROM revision
        JOIN instruction ON instruction.id = revision.instruction_id
        JOIN review ON review.id = review_id""",
    "failure": """SELECT failure.phase, key, reason, state FROM failure
        JOIN instruction ON instruction.id = instruction_id""",
}


def content(engine: Engine, run: str = "toy") -> dict[str, list[str]]:
    with engine.connect() as connection:
        return {
            name: sorted(map(str, connection.execute(text(statement), {"run": run})))
            for name, statement in CONTENT.items()
        }


@pytest.fixture
def world(engine: Engine, settings: Settings, tmp_path: Path) -> Engine:
    import_toy_world(engine, settings, tmp_path / "toy")
    # One instruction always fails: what was set aside has to travel too.
    model = {"engine": "scripted", "model": "quiz", "options": {"markers": MARKERS}}
    teacher = {"model": model | {"fail_on": "thing number 3 "}, "batch": 5}
    with transaction(engine) as session:
        create_run(session, toy_config(teacher=teacher))
        # People's decisions travel as well, with what came of them.
        session.execute(
            text(
                "INSERT INTO review (instruction_id, decision, text, author)"
                " SELECT min(id), 'reject', NULL, 'ada' FROM instruction"
                " UNION ALL SELECT max(id), 'edit', 'Which colour stands here?', 'ada'"
                " FROM instruction"
            )
        )
    return engine


@pytest.fixture
def elsewhere(other_database: URL, tmp_path: Path) -> Iterator[tuple[Engine, Settings]]:
    """Another machine, whose serial ids stand elsewhere."""
    engine = make_engine(other_database)
    with engine.begin() as connection:
        for table in ("instruction", "pool", "iteration", "answer", "model", "run"):
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, 'id'), 100000)"),
                {"table": table},
            )
    url = SecretStr(libpq_url(other_database))
    yield engine, Settings(home=tmp_path / "elsewhere", database_url=url)
    engine.dispose()


def drive(engine: Engine, settings: Settings, count: int, run: str = "toy") -> None:
    with inline_workforce(engine.url, settings) as workforce:
        Driver(engine, workforce, poll_seconds=0.01).run(run, count)


def backup(engine: Engine, settings: Settings, out: Path, run: str = "toy") -> BackedUp:
    with transaction(engine) as session:
        return backup_run(session, settings, run, out, schema=SCHEMA)


def restore(engine: Engine, settings: Settings, file: Path, **options: Any) -> Restored:
    with transaction(engine) as session:
        return restore_run(session, settings, file, **({"schema": SCHEMA} | options))


def test_a_restored_run_holds_the_same_and_goes_on_to_the_same_rows(
    world: Engine,
    settings: Settings,
    elsewhere: tuple[Engine, Settings],
    tmp_path: Path,
) -> None:
    drive(world, settings, 2)
    file = tmp_path / "toy.tar"
    made = backup(world, settings, file)
    assert made.images == made.rows["image"] > 0
    assert made.artifacts > 0

    there, home = elsewhere
    done = restore(there, home, file)
    assert done.rows == made.rows
    assert (done.images, done.artifacts) == (made.images, made.artifacts)
    assert content(there) == content(world)
    assert check_run(there, "toy") == 2
    with there.connect() as connection:
        assert connection.scalar(text("SELECT min(id) FROM instruction")) > 100000

    drive(world, settings, 1)
    drive(there, home, 1)
    assert content(there) == content(world)
    assert check_run(there, "toy") == 3
    # The same rows once more give the same rows: nothing was lost by travelling.
    again = backup(there, home, tmp_path / "again.tar")
    assert again.rows == backup(world, settings, tmp_path / "third.tar").rows


def test_a_run_in_the_middle_of_a_phase(
    world: Engine,
    settings: Settings,
    elsewhere: tuple[Engine, Settings],
    tmp_path: Path,
) -> None:
    drive(world, settings, 1)
    # As a driver and a worker leave it that are killed while the student answers.
    with world.begin() as connection:
        connection.execute(text("UPDATE iteration SET phase = 'answer', finished_at = NULL"))
        connection.execute(
            text("UPDATE iteration_phase SET finished_at = NULL WHERE phase = 'answer'")
        )
        connection.execute(
            text("DELETE FROM iteration_phase WHERE phase IN ('evaluate', 'judge', 'assess')")
        )
        for table in ("assessment", "judgement"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(
            text(
                "DELETE FROM usage USING work_item WHERE id = work_item_id"
                " AND phase IN ('evaluate', 'judge')"
            )
        )
        connection.execute(text("DELETE FROM work_item WHERE phase IN ('evaluate', 'judge')"))
        connection.execute(
            text(
                "UPDATE work_item SET state = 'leased', token = gen_random_uuid(),"
                " lease_expires_at = now() + interval '1 hour' WHERE phase = 'answer'"
            )
        )
    backup(world, settings, tmp_path / "toy.tar")
    there, home = elsewhere
    restore(there, home, tmp_path / "toy.tar")
    drive(there, home, 1)
    assert check_run(there, "toy") == 1


def test_beside_the_original_under_another_name(
    world: Engine, settings: Settings, tmp_path: Path
) -> None:
    drive(world, settings, 2)
    with transaction(world) as session:
        branch_run(session, find_run(session, "toy"), name="side", at=1)
    drive(world, settings, 1, run="side")
    file = tmp_path / "side.tar"
    backup(world, settings, file, run="side")
    with pytest.raises(RunError, match="'side' is there already"):
        restore(world, settings, file)
    done = restore(world, settings, file, name="copy")
    # Pictures, seeds, models and their answers are those that were there.
    assert "image" not in done.rows
    assert "model" not in done.rows
    assert done.images == 0
    with world.connect() as connection:
        rows = connection.execute(
            text("SELECT iteration, shared FROM run_iteration WHERE run = 'copy' ORDER BY 1")
        ).all()
    assert [tuple(row) for row in rows] == [(1, False), (2, False)]
    assert content(world, "copy")["assessment"] == content(world, "side")["assessment"]
    assert content(world, "copy")["instruction"] == content(world, "side")["instruction"]


def test_every_table_has_its_place() -> None:
    # A migration that adds a table says in backup/plan.py which of its rows belong to a run, or in
    # backup/archive.py that none do.
    assert set(CONDITIONS) | LEFT_OUT == set(Base.metadata.tables)
    assert [table.name for table in backed_up()] != sorted(CONDITIONS)  # by reference, not by name


def test_what_is_no_backup_is_refused_and_leaves_no_trace(
    world: Engine,
    settings: Settings,
    elsewhere: tuple[Engine, Settings],
    tmp_path: Path,
) -> None:
    drive(world, settings, 1)
    file = tmp_path / "toy.tar"
    backup(world, settings, file)
    there, home = elsewhere

    def refused(path: Path, reason: str, **options: Any) -> None:
        with pytest.raises(BackupError, match=reason):
            restore(there, home, path, **options)
        with there.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM pool")) == 0

    refused(file, "made at schema", schema="0000")
    refused(tmp_path / "none.tar", "No such file")
    (tmp_path / "x.tar").write_bytes(b"no tar at all" * 100)
    refused(tmp_path / "x.tar", "no backup, or damaged")
    (tmp_path / "cut.tar").write_bytes(file.read_bytes()[:20000])
    refused(tmp_path / "cut.tar", "damaged|lacks")
    flipped = bytearray(file.read_bytes())
    flipped[flipped.rindex(b"\x89PNG") + 40] ^= 255
    (tmp_path / "flipped.tar").write_bytes(flipped)
    refused(tmp_path / "flipped.tar", "sha256 differs")
    for name in ("../../evil", "/etc/evil", "artifacts/x.pkl", "images/../../evil"):
        refused(_with_member(file, tmp_path / "evil.tar", name), "the backup holds")
    assert not list(tmp_path.rglob("*evil*")) or list(tmp_path.rglob("*evil*")) == [
        tmp_path / "evil.tar"
    ]

    # A pool of the same name that holds something else.
    with there.begin() as connection:
        connection.execute(text("INSERT INTO pool (name, origin) VALUES ('toy', 'import')"))
    with pytest.raises(BackupError, match="holds other instructions"):
        restore(there, home, file)


def _with_member(file: Path, out: Path, name: str) -> Path:
    """The backup with another file right after its manifest."""
    with tarfile.open(file) as old, tarfile.open(out, "w") as new:
        for member in old:
            new.addfile(member, old.extractfile(member))
            if member.name == "manifest.json":
                evil = tarfile.TarInfo(name)
                evil.size = 4
                new.addfile(evil, io.BytesIO(b"evil"))
    return out
