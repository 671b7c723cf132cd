"""Revision 0005 on a database with trainings in it, up and down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import IntegrityError

import comd_migrations
from comd_platform.db.engine import libpq_url, make_engine

SYNTHETIC = Path(__file__).parents[2] / "support" / "synthetic_run.sql"


def test_earlier_trainings_are_named_and_the_way_back_keeps_them(empty_database: URL) -> None:
    engine = make_engine(empty_database)
    comd_migrations.upgrade(engine, "0004")
    with psycopg.connect(libpq_url(empty_database)) as connection:
        connection.execute("SET comd.instructions = 24")
        connection.execute(SYNTHETIC.read_bytes())

    def run(statement: str) -> Any:
        with engine.begin() as connection:
            return connection.execute(text(statement))

    trainings = run("SELECT array_agg(id ORDER BY id) FROM training_run").scalar_one()
    assert len(trainings) >= 2
    failed, stopped = trainings[:2]
    run(f"UPDATE training_run SET state = 'failed', error = 'x' WHERE id = {failed}")
    comd_migrations.upgrade(engine, "0005")
    kind = f"SELECT failure_kind FROM training_run WHERE id = {failed}"
    assert run(kind).scalar_one() == "crashed"
    with pytest.raises(IntegrityError, match="failed_has_kind"):
        run(f"UPDATE training_run SET failure_kind = NULL WHERE id = {failed}")
    run(f"UPDATE training_run SET state = 'stopped', saved_step = 7 WHERE id = {stopped}")
    comd_migrations.downgrade(engine, "0004")
    states = "SELECT array_agg(state ORDER BY id) FROM training_run"
    assert run(states).scalar_one()[:2] == ["failed", "planned"]
    comd_migrations.upgrade(engine)
    engine.dispose()
