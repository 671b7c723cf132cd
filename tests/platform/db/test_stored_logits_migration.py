"""Revision 0014 on a database with answers and metrics in it, up and down."""

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
STORE = (
    "INSERT INTO answer_logits (answer_id, top_k, vocabulary, tokens, data)"
    " SELECT id, {k}, repeat('a', 64), 2, '\\x4c31' FROM answer ORDER BY id LIMIT 3"
)


def test_logits_come_beside_answers_and_go_without_them(empty_database: URL) -> None:
    engine = make_engine(empty_database)
    comd_migrations.upgrade(engine, "0013")
    with psycopg.connect(libpq_url(empty_database)) as connection:
        connection.execute("SET comd.instructions = 12")
        connection.execute(SYNTHETIC.read_bytes())

    def run(statement: str) -> Any:
        with engine.begin() as connection:
            return connection.execute(text(statement))

    def counts() -> tuple[int, int]:
        return run(
            "SELECT (SELECT count(*) FROM answer), (SELECT count(*) FROM training_metric)"
        ).one()

    before = counts()
    assert min(before) > 0
    comd_migrations.upgrade(engine, "0014")
    assert counts() == before
    assert run("SELECT DISTINCT extra::text FROM training_metric").scalar_one() == "{}"
    run(STORE.format(k=4))
    with pytest.raises(IntegrityError, match="pk_answer_logits"):
        run(STORE.format(k=5))
    run("DELETE FROM answer_logits")
    with pytest.raises(IntegrityError, match="top_k_positive"):
        run(STORE.format(k=0))
    with pytest.raises(IntegrityError, match="vocabulary_hex"):
        run(STORE.format(k=4).replace("'a'", "'x'"))
    run(STORE.format(k=4))
    storage = (
        "SELECT attstorage FROM pg_attribute WHERE attrelid = 'answer_logits'::regclass"
        " AND attname = 'data'"
    )
    assert run(storage).scalar_one() == "e"
    comd_migrations.downgrade(engine, "0013")
    assert counts() == before
    comd_migrations.upgrade(engine)
    assert run("SELECT count(*) FROM answer_logits").scalar_one() == 0
    engine.dispose()
