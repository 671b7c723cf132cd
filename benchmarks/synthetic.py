"""Databases that hold a whole made-up run (synthetic_run.sql), kept by size for the next time.

They lie in one embedded server under COMD_BENCH_DATA (build/bench-data where it is unset): half a
million instructions take 3 GB, five million 30.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from databases import connected
from psycopg import sql
from sqlalchemy import URL, make_url

from comd_migrations import upgrade
from comd_platform.db.embedded import EmbeddedPostgres
from comd_platform.db.engine import libpq_url

HERE = Path(__file__).resolve().parent
ROWS = HERE / "synthetic_run.sql"
DATA = "COMD_BENCH_DATA"
MADE_ALWAYS = 500_000
"""The largest run that a benchmark makes when it is not there (twice as many for a curve)."""
SEED_SHARE = 0.4436
"""Of the instructions; nearly the paper's 220 of 504."""

# Filled in one transaction that has emptied them first: then nothing of it is written to the log.
_BULKY = (
    "image",
    "instruction",
    "answer",
    "judgement",
    "assessment",
    "selection",
    "augmentation",
    "training_example",
    "work_item",
    "usage",
)
_FAST = {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "2GB", "fsync": "off"}
# Statistics lag behind within the transaction: a nested loop would be a guess that costs hours.
_SESSION = """
SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET work_mem = '512MB';
SET max_parallel_maintenance_workers = 2; SET enable_nestloop = off;
SET session_replication_role = replica
"""
# What may be made afterwards; keys that other tables refer to stay.
_INDEXES = """
SELECT index.indexrelid::regclass::text AS name, relation.relname AS relation,
    pg_get_indexdef(index.indexrelid) AS made_by, held.conname AS held, pg_get_constraintdef(held.oid)
FROM pg_index AS index
JOIN pg_class AS relation ON relation.oid = index.indrelid
LEFT JOIN pg_constraint AS held ON held.conindid = index.indexrelid AND held.contype IN ('p', 'u')
WHERE relation.relname = ANY(%s) AND NOT EXISTS (
    SELECT FROM pg_constraint AS refers
    WHERE refers.conindid = index.indexrelid AND refers.contype = 'f'
)
ORDER BY 1
"""


@contextmanager
def synthetic_server() -> Iterator[URL]:
    """The server that keeps them; it ends with the block, its data stay."""
    home = Path(os.environ.get(DATA) or HERE.parent / "build" / "bench-data")
    embedded = EmbeddedPostgres(home)
    embedded.start()
    try:
        _write_fast(embedded)
        yield make_url(embedded.url("postgres")).set(drivername="postgresql+psycopg")
    finally:
        embedded.stop()


def _write_fast(embedded: EmbeddedPostgres) -> None:
    """Nothing here that could not be made again, so nothing need outlive a crash."""
    with psycopg.connect(embedded.url("postgres"), autocommit=True) as connection:
        if connection.execute("SHOW wal_level").fetchone() == (_FAST["wal_level"],):
            return
        for name, value in _FAST.items():
            change = sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value)
            connection.execute(change)
    embedded.stop()
    embedded.start()


def kept(where: URL, instructions: int) -> bool:
    """Whether a run of so many instructions is there already."""
    with psycopg.connect(libpq_url(where)) as connection:
        known = "SELECT FROM pg_database WHERE datname = %s"
        return connection.execute(known, [_name(instructions)]).fetchone() is not None


def synthetic_run(where: URL, instructions: int) -> URL:
    """A database with a run of about `instructions` in all, at the newest migration."""
    url = where.set(database=_name(instructions))
    if not kept(where, instructions):
        _make(where, url, instructions)
    with connected(url) as engine:
        upgrade(engine)
    return url


def _name(instructions: int) -> str:
    return f"synthetic_{instructions}_{hashlib.sha256(ROWS.read_bytes()).hexdigest()[:8]}"


def _make(where: URL, url: URL, instructions: int) -> None:
    started = time.monotonic()
    building = url.set(database=f"{url.database}_building")
    with psycopg.connect(libpq_url(where), autocommit=True) as admin:
        # Of this size, made by another version of the script, or left half made.
        older = admin.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s", [f"synthetic_{instructions}_%"]
        )
        for (name,) in older.fetchall():
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        assert building.database
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(building.database)))
    with connected(building) as engine:
        upgrade(engine)
    fill(building, round(SEED_SHARE * instructions))
    with psycopg.connect(libpq_url(where), autocommit=True) as admin:
        assert url.database
        names = (sql.Identifier(building.database), sql.Identifier(url.database))
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
    print(f"made {url.database} in {time.monotonic() - started:.0f} s", flush=True)


def fill(url: URL, seeds: int) -> None:
    """Fill an empty, migrated database: rows first, indexes after, counts of closed phases last."""
    with psycopg.connect(libpq_url(url)) as connection:
        connection.execute(_SESSION)
        connection.execute("SELECT set_config('comd.seeds', %s, false)", [str(seeds)])
        connection.execute(f"TRUNCATE {', '.join(_BULKY)} CASCADE")
        indexes = connection.execute(_INDEXES, [list(_BULKY)]).fetchall()
        for name, relation, _, held, _ in indexes:
            connection.execute(
                f"ALTER TABLE {relation} DROP CONSTRAINT {held}" if held else f"DROP INDEX {name}"
            )
        for statement in re.split(r";\n\n(?=\S)", ROWS.read_text()):
            connection.execute(statement)
        for _, relation, made_by, held, constraint in indexes:
            connection.execute(
                f"ALTER TABLE {relation} ADD CONSTRAINT {held} {constraint}" if held else made_by
            )
        connection.execute("ANALYZE")
        connection.execute("RESET enable_nestloop")
        connection.execute("SELECT count_cells(id) FROM iteration")  # as the loop has done by then
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
