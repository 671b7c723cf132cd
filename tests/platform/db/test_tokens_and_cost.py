"""Revision 0002 on a database with rows in it, up and down."""

from __future__ import annotations

from pathlib import Path

import psycopg
from sqlalchemy import URL, Engine, inspect, text

import comd_migrations
from comd_platform.db.engine import libpq_url, make_engine

SYNTHETIC = Path(__file__).parents[2] / "support" / "synthetic_run.sql"
REPLIES = ("answer", "augmentation", "evaluation_score", "judgement")


def counts(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        found = {
            table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in REPLIES
        }
    assert all(found.values())
    return found


def test_rows_live_through_the_way_up_and_down(empty_database: URL) -> None:
    engine = make_engine(empty_database)
    comd_migrations.upgrade(engine, "0001")
    with psycopg.connect(libpq_url(empty_database)) as connection:
        connection.execute("SET comd.instructions = 24")
        connection.execute(SYNTHETIC.read_bytes())
    before = counts(engine)
    columns = {table: inspect(engine).get_columns(table) for table in REPLIES}
    comd_migrations.upgrade(engine, "0002")
    assert counts(engine) == before
    with engine.begin() as connection:
        unknown = "SELECT count(*) FROM judgement WHERE prompt_tokens = 0 AND cost IS NULL"
        assert connection.execute(text(unknown)).scalar_one() == before["judgement"]
        connection.execute(
            text(
                "INSERT INTO usage (work_item_id, requests, prompt_tokens, cost)"
                " SELECT id, 3, 100, 0.25 FROM work_item WHERE phase = 'answer' AND state = 'done'"
            )
        )
        summary = connection.execute(
            text(
                "SELECT run, phase, role, sum(cost) > 0 AS paid FROM usage_summary GROUP BY 1, 2, 3"
            )
        ).all()
    assert {(row.phase, row.role, row.paid) for row in summary} == {("answer", "student", True)}
    comd_migrations.downgrade(engine, "0001")
    assert counts(engine) == before
    for table in REPLIES:
        kept = [str(column) for column in inspect(engine).get_columns(table)]
        assert kept == [str(column) for column in columns[table]]
    comd_migrations.upgrade(engine)
    engine.dispose()
